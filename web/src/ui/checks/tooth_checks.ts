import { quadrantOf } from "../labels/fdi";
import type { CheckedTooth } from "./checked_tooth";

/** So many teeth of a kind, beside the one, say what is usual; a side of the midline needs as many teeth. */
const MIN_TEETH = 3;
/** A tooth's area as a share of the median of the others of its kind: outside of this it is unusual. */
const USUAL = { least: 0.4, most: 2.5 };
/** Third molars come in all sizes. In 334 panoramics of 28 to 32 teeth, one tooth in 500 lies outside of these. */
const USUAL_THIRD_MOLAR = { least: 0.22, most: 2 };
/** A tooth's middle may lie beyond the midline by this share of its width. */
const OVER_MIDLINE = 0.3;

/** Teeth that are far smaller or larger than the others of their kind in this image. */
export function unusualSizes(teeth: readonly CheckedTooth[]): CheckedTooth[] {
  return teeth.filter((tooth) => {
    const others = teeth.filter((other) => other !== tooth && kindOf(other.number) === kindOf(tooth.number));
    if (others.length < MIN_TEETH) return false;
    const share = tooth.area / median(others.map(({ area }) => area));
    const { least, most } = tooth.number.endsWith("8") ? USUAL_THIRD_MOLAR : USUAL;
    return share < least || share > most;
  });
}

/** Teeth of a right quadrant that lie on the right of the midline, and of a left one on its left. */
export function onWrongSide(teeth: readonly CheckedTooth[]): CheckedTooth[] {
  const midline = midlineOf(teeth);
  if (midline === null) return [];
  return teeth.filter((tooth) => {
    const beyond = (middleOf(tooth) - midline) / tooth.width;
    return (isRight(tooth) ? beyond : -beyond) > OVER_MIDLINE;
  });
}

/** Where fewest teeth lie on the other side than their number says; null where a side has hardly any. */
function midlineOf(teeth: readonly CheckedTooth[]): number | null {
  const right = teeth.filter(isRight).map(middleOf);
  const left = teeth.filter((tooth) => !isRight(tooth)).map(middleOf);
  if (right.length < MIN_TEETH || left.length < MIN_TEETH) return null;
  const between = (median(right) + median(left)) / 2;
  const places = teeth.map(middleOf).sort((a, b) => a - b);
  const candidates = places.flatMap((place, at) => (at === 0 ? [] : [(place + (places[at - 1] ?? place)) / 2]));
  const wrong = (x: number) => right.filter((place) => place > x).length + left.filter((place) => place < x).length;
  return candidates.reduce((best, x) => {
    const fewer = wrong(x) - wrong(best);
    return fewer < 0 || (fewer === 0 && Math.abs(x - between) < Math.abs(best - between)) ? x : best;
  });
}

function isRight({ number }: CheckedTooth): boolean {
  const quadrant = quadrantOf(number);
  return quadrant === 1 || quadrant === 4;
}

/** Incisors, canines, premolars and molars; those of the deciduous teeth apart. */
function kindOf(number: string): string {
  const place = Number(number[1]);
  const deciduous = number >= "5";
  const kind = place < 3 ? "incisor" : place === 3 ? "canine" : deciduous || place > 5 ? "molar" : "premolar";
  return `${deciduous ? "deciduous" : "permanent"} ${kind}`;
}

function middleOf({ x, width }: CheckedTooth): number {
  return x + width / 2;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? NaN) + (high ?? NaN)) / 2;
}
