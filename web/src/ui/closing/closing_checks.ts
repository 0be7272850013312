import type { Label } from "../../api/types";
import type { Bitmask } from "../../engine/masks/mask";
import { sharedPixels } from "../../engine/masks/overlap";
import { DECIDUOUS, PERMANENT } from "../labels/fdi";

/** The part of an object that the checks use. */
export interface Checked {
  id: string;
  category: string | null;
  accepted: boolean;
  mask: Bitmask;
}

export type ReasonKind = "empty" | "unlabelled" | "number-twice" | "same-pixels" | "not-accepted" | "few" | "none";

/** Why a case may not be finished yet, with the objects that it is about. */
export interface Reason {
  kind: ReasonKind;
  objects: string[];
}

/** Two objects of one class are duplicates where they share this much of the smaller one. */
export const SAME_CLASS_SHARE = 0.5;
/** Two teeth of different numbers are duplicates from this intersection over union on. */
export const SAME_TOOTH_IOU = 0.5;
/** Fewer objects than this share of a full set of teeth are few. */
export const FEW_SHARE = 0.5;

/**
 * The reasons against closing a case, the most serious first.
 *
 * few: fewer objects than half of a full set of the schema's teeth, third molars left out; never without teeth in the schema.
 */
export function reasonsAgainst(
  objects: readonly Checked[],
  labels: ReadonlyMap<string, Label>,
  asksFew = true,
): Reason[] {
  if (objects.length === 0) return [{ kind: "none", objects: [] }];
  const ids = (wanted: (object: Checked) => boolean) => objects.filter(wanted).map(({ id }) => id);
  const drawn = objects.filter(({ mask }) => mask.area > 0);
  const twice = numberedTwice(objects, labels);
  const same = new Set(samePixels(drawn, labels).flat());
  const reasons: Reason[] = [
    { kind: "empty", objects: ids(({ mask }) => mask.area === 0) },
    { kind: "unlabelled", objects: ids(({ category }) => category === null) },
    { kind: "number-twice", objects: twice },
    { kind: "same-pixels", objects: ids(({ id }) => same.has(id) && !twice.includes(id)) },
    { kind: "not-accepted", objects: ids(({ accepted, mask }) => !accepted && mask.area > 0) },
  ];
  const found = reasons.filter((reason) => reason.objects.length > 0);
  if (asksFew && drawn.length < FEW_SHARE * fullSet(labels)) found.push({ kind: "few", objects: [] });
  return found;
}

/** How many teeth a full set of the schema's dentition has, third molars left out: 28 permanent ones, else 20 deciduous ones. */
export function fullSet(labels: ReadonlyMap<string, Label>): number {
  const count = (rows: readonly (readonly string[])[]) =>
    rows.flat().filter((tooth) => !tooth.endsWith("8") && isToothLabel(tooth, labels)).length;
  return Math.max(count(PERMANENT), count(DECIDUOUS));
}

function isToothLabel(category: string, labels: ReadonlyMap<string, Label>): boolean {
  return labels.get(category)?.kind === "tooth";
}

/** The teeth whose number another one has as well. */
export function numberedTwice(objects: readonly Checked[], labels: ReadonlyMap<string, Label>): string[] {
  const twice = ({ category }: Checked) =>
    category !== null &&
    isToothLabel(category, labels) &&
    objects.filter((other) => other.category === category).length > 1;
  return objects.filter(twice).map(({ id }) => id);
}

/** Pairs of objects of one class, or of teeth, that cover mostly the same pixels. */
export function samePixels(objects: readonly Checked[], labels: ReadonlyMap<string, Label>): [string, string][] {
  const found: [string, string][] = [];
  objects.forEach((one, at) => {
    for (const other of objects.slice(at + 1)) {
      const sameClass = one.category === other.category;
      const teeth = [one, other].every(({ category }) => category !== null && isToothLabel(category, labels));
      if (!sameClass && !teeth) continue;
      const shared = sharedPixels(one.mask, other.mask);
      const smaller = Math.min(one.mask.area, other.mask.area);
      const union = one.mask.area + other.mask.area - shared;
      const same = sameClass ? shared >= SAME_CLASS_SHARE * smaller : shared >= SAME_TOOTH_IOU * union;
      if (shared > 0 && same) found.push([one.id, other.id]);
    }
  });
  return found;
}
