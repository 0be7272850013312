import type { Label } from "../../api/types";
import { type Checked, FEW_SHARE, fullSet, numberedTwice, samePixels } from "../closing/closing_checks";
import { isTooth } from "../labels/fdi";
import { exchangedNeighbours, gaps } from "./arch_checks";
import type { CheckedTooth } from "./checked_tooth";
import { onWrongSide, unusualSizes } from "./tooth_checks";

export type CheckKind = "number-twice" | "side" | "order" | "size" | "same-pixels" | "skipped" | "gap";

/** Something that a look is worth; it never keeps anybody from anything. */
export interface Check {
  kind: CheckKind;
  /** The objects that it is about. */
  objects: readonly string[];
  /** Numbers that are not there, in a gap. */
  absent: readonly string[];
}

/**
 * What stands out in a chart, the most serious first. While there are few teeth, as at the beginning of a chart, nothing is said
 * of gaps. missing: numbers that are marked as missing.
 */
export function chartChecks(
  objects: readonly Checked[],
  missing: readonly string[],
  labels: ReadonlyMap<string, Label>,
): Check[] {
  const drawn = objects.filter(({ mask }) => mask.area > 0);
  const boxed = (object: Checked): CheckedTooth => {
    const { x, y, width, height } = object.mask.snapshot();
    return { id: object.id, number: object.category ?? "", x, y, width, height, area: object.mask.area };
  };
  const teeth = drawn.filter(({ category }) => category !== null && isTooth(category)).map(boxed);
  const implants = drawn.filter(({ category }) => category === "implant").map(boxed);
  const check = (kind: CheckKind, found: readonly string[], absent: readonly string[] = []): Check => ({
    kind,
    objects: found,
    absent,
  });
  const twice = numberedTwice(objects, labels);
  const numbers = new Map(objects.map(({ id, category }) => [id, category]));
  const shared = [...new Set(twice.map((id) => numbers.get(id)))];
  const pairs = samePixels(drawn, labels).filter((pair) => !pair.every((id) => twice.includes(id)));
  const few = teeth.length < FEW_SHARE * fullSet(labels);
  const openGaps = few ? [] : gaps(teeth, implants, missing);
  return [
    ...shared.map((number) =>
      check(
        "number-twice",
        twice.filter((id) => numbers.get(id) === number),
      ),
    ),
    ...onWrongSide(teeth).map(({ id }) => check("side", [id])),
    ...exchangedNeighbours(teeth).map((pair) => check("order", pair)),
    ...unusualSizes(teeth).map(({ id }) => check("size", [id])),
    ...pairs.map((pair) => check("same-pixels", pair)),
    ...openGaps.map(({ kind, neighbours, absent }) => check(kind, neighbours, absent)),
  ];
}
