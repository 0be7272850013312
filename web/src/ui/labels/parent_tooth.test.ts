import { describe, expect, it } from "vitest";

import type { Label } from "../../api/types";
import { CaseEditor } from "../../engine/editing/case_editor";
import { BoxMask } from "../../engine/masks/mask";
import { toothOf } from "./parent_tooth";

const label = (name: string, kind: Label["kind"]) =>
  [name, { name, title: name, kind, colour: "#56b4e9", tidy: null }] as const;
const LABELS = new Map<string, Label>([
  label("36", "tooth"),
  label("35", "tooth"),
  label("restoration", "restoration"),
  label("lesion", "lesion"),
]);

function block(x: number, y: number, width: number, height: number): BoxMask {
  return new BoxMask(x, y, width, height, new Uint8Array(width * height).fill(1));
}

function find(mask: BoxMask | undefined, category: string): string | null {
  const editor = new CaseEditor(400, 300);
  editor.create({ id: "left", category: "36", mask: block(100, 100, 40, 80) });
  editor.create({ id: "right", category: "35", mask: block(144, 100, 40, 80) });
  editor.create({ id: "other", category: "restoration", mask: block(100, 100, 40, 80) });
  const object = editor.object(editor.create({ category, mask }))!;
  return toothOf(editor, object, LABELS);
}

describe("the tooth of an object", () => {
  it("is the one that most of it lies in", () => {
    expect(find(block(110, 110, 12, 10), "restoration")).toBe("left");
    expect(find(block(130, 110, 20, 10), "restoration")).toBe("left");
    expect(find(block(134, 110, 20, 10), "restoration")).toBe("right");
  });

  it("is the one beside a lesion at its root", () => {
    expect(find(block(110, 182, 20, 16), "lesion")).toBe("left");
    expect(find(block(150, 186, 20, 16), "lesion")).toBe("right");
  });

  it("is none far from all teeth, and none for an object without a mask", () => {
    expect(find(block(300, 10, 20, 16), "lesion")).toBeNull();
    expect(find(undefined, "lesion")).toBeNull();
  });
});
