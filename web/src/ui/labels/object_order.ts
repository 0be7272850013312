import type { Label } from "../../api/types";
import { DECIDUOUS, PERMANENT } from "./fdi";

const CHART = new Map([...PERMANENT, ...DECIDUOUS].flat().map((tooth, place) => [tooth, place]));

interface Listed {
  category: string | null;
  /** Place in the order of creation. */
  index: number;
}

/** Objects as a chart is read: teeth row by row, then the other labels as the schema orders them, what has none last. */
export function inChartOrder<T extends Listed>(objects: readonly T[], labels: ReadonlyMap<string, Label>): T[] {
  const others = new Map([...labels.keys()].map((name, place) => [name, CHART.size + place]));
  const last = CHART.size + others.size;
  const place = ({ category }: T) =>
    category === null ? last + 1 : (CHART.get(category) ?? others.get(category) ?? last);
  return [...objects].sort((a, b) => place(a) - place(b) || a.index - b.index);
}
