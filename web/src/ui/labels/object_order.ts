import type { Label } from "../../api/types";
import { chartPlace } from "../../engine/editing/chart_order";
import { isTooth } from "./fdi";

/** The place of everything that is not a tooth. */
const AFTER_TEETH = chartPlace("");

interface Listed {
  category: string | null;
  /** Place in the order of creation. */
  index: number;
}

/** Objects in the order of a dental chart: teeth along the upper and the lower arch, other labels in the order of the schema, unlabelled ones last. */
export function inChartOrder<T extends Listed>(objects: readonly T[], labels: ReadonlyMap<string, Label>): T[] {
  const others = new Map([...labels.keys()].map((name, place) => [name, AFTER_TEETH + place]));
  const last = AFTER_TEETH + others.size;
  const place = ({ category }: T) =>
    category === null ? last + 1 : isTooth(category) ? chartPlace(category) : (others.get(category) ?? last);
  return [...objects].sort((a, b) => place(a) - place(b) || a.index - b.index);
}
