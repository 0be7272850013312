import { isUnsure } from "../../engine/editing/proposals";

/** Rows of the odontogram as dentists read it: the patient's right is on the left. */
export type ToothRow = readonly string[];

function quadrant(number: number, teeth: number, outward: boolean): string[] {
  const positions = Array.from({ length: teeth }, (_, index) => (outward ? index + 1 : teeth - index));
  return positions.map((position) => `${number}${position}`);
}

export const PERMANENT: readonly ToothRow[] = [
  [...quadrant(1, 8, false), ...quadrant(2, 8, true)],
  [...quadrant(4, 8, false), ...quadrant(3, 8, true)],
];

export const DECIDUOUS: readonly ToothRow[] = [
  [...quadrant(5, 5, false), ...quadrant(6, 5, true)],
  [...quadrant(8, 5, false), ...quadrant(7, 5, true)],
];

const TEETH = new Set([...PERMANENT, ...DECIDUOUS].flat());

export function isTooth(name: string): boolean {
  return TEETH.has(name);
}

export function isDeciduous(name: string): boolean {
  return isTooth(name) && name >= "5";
}

/** 1 to 4, a deciduous tooth in the quadrant of its successor; null for what is not a tooth. */
export function quadrantOf(category: string | null): number | null {
  if (category === null || !isTooth(category)) return null;
  return ((Number(category[0]) - 1) % 4) + 1;
}

/** The neighbour in the odontogram in the direction of an arrow key; the tooth itself at the edge. */
export function neighbour(rows: readonly ToothRow[], tooth: string, key: string): string {
  const row = rows.findIndex((teeth) => teeth.includes(tooth));
  const teeth = rows[row];
  if (teeth === undefined) return rows[0]?.[0] ?? tooth;
  const column = teeth.indexOf(tooth);
  const reached: Partial<Record<string, string>> = {
    ArrowLeft: teeth[column - 1],
    ArrowRight: teeth[column + 1],
    ArrowUp: rows[row - 1]?.[column],
    ArrowDown: rows[row + 1]?.[column],
    Home: teeth[0],
    End: teeth.at(-1),
  };
  return reached[key] ?? tooth;
}

export type Typed =
  | { kind: "waiting"; first: string }
  | { kind: "tooth"; number: string }
  | { kind: "wrong"; text: string };

/** One more digit of a tooth's number. `first` is the digit typed before, or null. */
export function typeDigit(first: string | null, digit: string): Typed {
  if (first === null)
    return /^[1-8]$/.test(digit) ? { kind: "waiting", first: digit } : { kind: "wrong", text: digit };
  const number = first + digit;
  return isTooth(number) ? { kind: "tooth", number } : { kind: "wrong", text: number };
}

/** What is known of a number: nothing, or that the patient does not have the tooth; else of the object that has it. */
export type ToothUse = "absent" | "missing" | "unsure" | "proposed" | "assigned" | "accepted" | "twice";

interface Used {
  category: string | null;
  accepted: boolean;
  proposed: boolean;
  confidence: number | null;
}

/** The numbers of which anything is known. threshold: proposals of less confidence are unsure. */
export function toothUses(
  objects: readonly Used[],
  missing: readonly string[],
  threshold: number,
): Map<string, ToothUse> {
  const uses = new Map<string, ToothUse>(missing.map((number) => [number, "missing"]));
  const seen = new Set<string>();
  for (const object of objects) {
    const { category, accepted, proposed } = object;
    if (category === null || !isTooth(category)) continue;
    const use = accepted ? "accepted" : isUnsure(object, threshold) ? "unsure" : proposed ? "proposed" : "assigned";
    uses.set(category, seen.has(category) ? "twice" : use);
    seen.add(category);
  }
  return uses;
}
