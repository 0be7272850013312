import type { Label } from "../../api/types";
import { visible, visibleSentences } from "./visible_text";

/** The name of a class on the page: a tooth's number, the title of anything else. */
export function nameOf(category: string | null, labels: ReadonlyMap<string, Label>): string {
  if (category === null) return "No label";
  const label = labels.get(category);
  return label && label.kind !== "tooth" ? visibleSentences(label.title) : visible(category);
}
