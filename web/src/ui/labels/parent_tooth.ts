import type { Label } from "../../api/types";
import type { CaseEditor, CaseObject } from "../../engine/editing/case_editor";
import { Bitmask, BoxMask } from "../../engine/masks/mask";
import { sharedPixels } from "../../engine/masks/overlap";

/** A lesion at a root may lie beside the tooth: the tooth is searched within this share of the square root of its area. */
const SEARCH_SHARE = 0.5;

/** The tooth in which most of an object lies, or else the one it lies beside; null where there is none. */
export function toothOf(editor: CaseEditor, object: CaseObject, labels: ReadonlyMap<string, Label>): string | null {
  const teeth = editor.objects.filter(
    ({ id, category }) => id !== object.id && category !== null && labels.get(category)?.kind === "tooth",
  );
  if (object.area === 0 || teeth.length === 0) return null;
  return (
    mostIn(object.mask, teeth) ?? mostIn(grown(object.mask, Math.ceil(SEARCH_SHARE * Math.sqrt(object.area))), teeth)
  );
}

function mostIn(mask: Bitmask, teeth: readonly CaseObject[]): string | null {
  const shared = teeth.map((tooth) => sharedPixels(mask, tooth.mask));
  const most = Math.max(...shared);
  return most > 0 ? (teeth[shared.indexOf(most)]?.id ?? null) : null;
}

/** A mask dilated by `by` pixels (a square). */
function grown(mask: Bitmask, by: number): Bitmask {
  const wide = Bitmask.of(BoxMask.empty(), mask.width, mask.height);
  mask.snapshot().eachRun((y, x0, x1) => {
    for (let row = y - by; row <= y + by; row++) wide.setSpan(row, x0 - by, x1 + by, 1);
  });
  return wide;
}
