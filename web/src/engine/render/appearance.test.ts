import { describe, expect, it } from "vitest";

import { CaseEditor } from "../editing/case_editor";
import { BoxMask } from "../masks/mask";
import type { ObjectOperation } from "../operations";
import { UNSURE_COLOUR } from "../palette";
import { DEFAULT_APPEARANCE, stylesOf } from "./appearance";

const square = new BoxMask(4, 4, 5, 5, new Uint8Array(25).fill(1));

function proposal(object: string, confidence: number | null): ObjectOperation {
  const data = { category: "36", parent: null, source: "proposal" as const, confidence };
  return { id: `propose ${object}`, kind: "create", object, time: 1, data, mask: square };
}

function styled() {
  const editor = new CaseEditor(60, 40);
  editor.create({ id: "own", mask: square });
  editor.setActive(null);
  editor.applyRemote([proposal("sure", 0.95), proposal("unsure", 0.85), proposal("unknown", null)]);
  return { editor, styles: () => stylesOf(editor, { ...DEFAULT_APPEARANCE, threshold: 0.9 }, false) };
}

describe("how objects are drawn", () => {
  it("draws proposals with dashes and less fill, and unsure ones in a colour of their own", () => {
    const { editor, styles } = styled();
    const own = styles().get("own")!;
    for (const id of ["sure", "unsure", "unknown"]) {
      const style = styles().get(id)!;
      expect(style.dash).toBeGreaterThan(own.dash);
      expect(style.fill).toBeLessThan(own.fill);
      expect(style.colour).toBe(id === "sure" ? editor.colourOf(editor.object("sure")!) : UNSURE_COLOUR);
    }
    expect(own.dash).toBe(0);
  });

  it("draws an accepted proposal as any other object", () => {
    const { editor, styles } = styled();
    editor.accept("unsure");
    const { colour, fill, dash } = styles().get("unsure")!;
    expect({ fill, dash }).toEqual({ fill: DEFAULT_APPEARANCE.fill, dash: 0 });
    expect(colour).toBe(editor.colourOf(editor.object("unsure")!));
  });
});
