import type { Label } from "../../api/types";
import type { ObjectLabel } from "../../engine/render/label_placement";

/** The text on an object in the picture: a tooth's number, the title of anything else, a question mark without a label. */
export function pictureLabel(category: string | null, labels: ReadonlyMap<string, Label>): ObjectLabel {
  if (category === null) return { text: "?", short: true };
  const label = labels.get(category);
  return label === undefined || label.kind === "tooth"
    ? { text: category, short: true }
    : { text: label.title, short: false };
}
