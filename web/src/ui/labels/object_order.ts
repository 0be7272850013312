import type { Label } from "../../api/types";
import { DECIDUOUS, PERMANENT } from "./fdi";

const CHART = new Map([...PERMANENT, ...DECIDUOUS].flat().map((tooth, place) => [tooth, place]));

interface Listed {
  category: string | null;
  /** Place in the order of creation. */
  index: number;
}

/** Objects in the order of a dental chart: teeth row by row, other labels in the order of the schema, unlabelled ones last. */
export function inChartOrder<T extends Listed>(objects: readonly T[], labels: ReadonlyMap<string, Label>): T[] {
  const others = new Map([...labels.keys()].map((name, place) => [name, CHART.size + place]));
  const last = CHART.size + others.size;
  const place = ({ category }: T) =>
    category === null ? last + 1 : (CHART.get(category) ?? others.get(category) ?? last);
  return [...objects].sort((a, b) => place(a) - place(b) || a.index - b.index);
}
