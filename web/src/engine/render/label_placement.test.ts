import { describe, expect, it } from "vitest";
import { CaseEditor } from "../editing/case_editor";
import { View } from "../geometry/view";
import { BoxMask } from "../masks/mask";
import { Interiors, type PlacedLabel, placeLabels, sameLabels } from "./label_placement";

const widthOf = (text: string, size: number) => 0.6 * size * text.length;

/** Sixteen teeth of 40 x 100 beside each other, the fifth active. */
function row(zoom: number): { editor: CaseEditor; view: View; placed: () => PlacedLabel[] } {
  const editor = new CaseEditor(1000, 500);
  for (let tooth = 0; tooth < 16; tooth++) {
    editor.create({
      id: `${tooth}`,
      category: `${11 + tooth}`,
      mask: new BoxMask(100 + 42 * tooth, 200, 40, 100, new Uint8Array(4000).fill(1)),
    });
  }
  editor.setActive("4");
  const view = new View();
  view.setImage(1000, 500);
  view.resize(1000 * zoom, 500 * zoom, 1);
  view.zoomAt(0, 0, zoom / view.zoom);
  const interiors = new Interiors();
  const labelOf = ({ category }: { category: string | null }) =>
    category === null ? null : { text: category, short: true };
  return { editor, view, placed: () => placeLabels(editor, view, interiors, labelOf, widthOf) };
}

function overlapping(labels: readonly PlacedLabel[]): number {
  let count = 0;
  for (const a of labels) {
    for (const b of labels) {
      if (a !== b && 2 * Math.abs(a.x - b.x) < a.width + b.width && 2 * Math.abs(a.y - b.y) < a.height + b.height)
        count++;
    }
  }
  return count;
}

describe("labels on the objects", () => {
  it.each([0.23, 0.4, 0.7, 1, 3, 12])(
    "stand at zoom %d within their masks and not on each other, the active one first",
    (zoom) => {
      const { editor, view, placed } = row(zoom);
      const labels = placed();
      expect(overlapping(labels)).toBe(0);
      expect(labels[0]).toMatchObject({ id: "4", active: true });
      for (const { id, x, y } of labels) {
        const at = view.toImage(x, y).map(Math.floor);
        expect(editor.object(id)!.mask.get(at[0]!, at[1]!)).toBe(1);
      }
      // With room for all of them none is left out.
      expect(labels).toHaveLength(16);
    },
  );

  it("go into a root where the crown has no room", () => {
    const { editor, view, placed } = row(1);
    const tooth = new BoxMask(100, 380, 40, 100, new Uint8Array(4000).fill(1));
    // Two roots below a low crown, on which another label stands.
    for (let y = 22; y < 100; y++) tooth.bits.fill(0, y * 40 + 8, y * 40 + 32);
    editor.create({ id: "molar", category: "36", mask: tooth });
    editor.create({
      id: "filling",
      category: "1",
      mask: new BoxMask(102, 370, 36, 30, new Uint8Array(1080).fill(1)),
    });
    const labels = placed();
    expect(labels[0]).toMatchObject({ id: "filling", active: true });
    expect(overlapping(labels)).toBe(0);
    const { x, y } = labels.find(({ id }) => id === "molar")!;
    expect(editor.object("molar")!.mask.get(...(view.toImage(x, y).map(Math.floor) as [number, number]))).toBe(1);
  });

  it("leave the clicks of the active object free", () => {
    const { editor, view, placed } = row(2);
    const before = placed()[0]!;
    const at = view.toImage(before.x, before.y);
    editor.applyPrediction("4", {
      mask: editor.object("4")!.mask.snapshot(),
      tool: "click",
      prompts: { clicks: [[at[0] - 0.5, at[1] - 0.5, 1]], box: null },
      model: null,
    });
    const after = placed()[0]!;
    expect(Math.abs(after.y - before.y)).toBeGreaterThanOrEqual(9);
  });

  it("are not on hidden objects, and follow a mask that changed", () => {
    const { editor, placed } = row(2);
    const before = placed();
    editor.hide("3", true);
    expect(placed().map(({ id }) => id)).not.toContain("3");
    expect(sameLabels(before, placed())).toBe(false);
    editor.hide("3", false);
    expect(sameLabels(before, placed())).toBe(true);
  });
});
