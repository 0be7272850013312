import type { Label } from "../../api/types";

/** What people call a class: a tooth by its number, anything else by its title. */
export function nameOf(category: string | null, labels: ReadonlyMap<string, Label>): string {
  if (category === null) return "No label";
  const label = labels.get(category);
  return label && label.kind !== "tooth" ? label.title : category;
}
