import type { Label } from "../../api/types";
import { isUnsure } from "../../engine/editing/proposals";
import type { ObjectLabel } from "../../engine/render/label_placement";
import { nameOf } from "./label_names";

interface Labelled {
  category: string | null;
  proposed: boolean;
  confidence: number | null;
}

/**
 * The text on an object in the picture: a tooth's number, the title of anything else, a question mark without a label. What
 * the model offers for it (`offer`), and what it is less sure of than `threshold`, has a question mark too.
 */
export function pictureLabel(
  object: Labelled,
  offer: string | null,
  threshold: number,
  labels: ReadonlyMap<string, Label>,
): ObjectLabel {
  const { category } = object;
  if (category === null) return { text: `${offer ?? ""}?`, short: true };
  const label = labels.get(category);
  const short = label === undefined || label.kind === "tooth";
  const text = nameOf(category, labels);
  return isUnsure(object, threshold) ? { text: `${text}?`, short, unsure: true } : { text, short };
}
