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

export type ToothUse = "missing" | "assigned" | "accepted" | "twice";

export function toothUses(objects: readonly { category: string | null; accepted: boolean }[]): Map<string, ToothUse> {
  const uses = new Map<string, ToothUse>();
  for (const { category, accepted } of objects) {
    if (category === null || !isTooth(category)) continue;
    if (uses.has(category)) uses.set(category, "twice");
    else uses.set(category, accepted ? "accepted" : "assigned");
  }
  return uses;
}
