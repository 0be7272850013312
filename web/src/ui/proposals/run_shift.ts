import { DECIDUOUS, isTooth, PERMANENT } from "../labels/fdi";

/** The part of an object that a shift of numbers uses. */
export interface Numbered {
  id: string;
  category: string | null;
  accepted: boolean;
  locked: boolean;
}

/** mesial: towards the midline, and beyond it at the first tooth; distal: away from it. */
export type Direction = "mesial" | "distal";

export interface Move {
  id: string;
  from: string;
  /** Null: there is no such number beyond, and the tooth is left without one. */
  to: string | null;
  /** Whether another tooth, which does not move, has that number: one that is accepted, or one that is not. */
  onto: "accepted" | "other" | null;
}

const ROWS = [...PERMANENT, ...DECIDUOUS];

/**
 * The new numbers when a tooth and all teeth behind it, in its quadrant and dentition, move by one: from the tooth outwards.
 * Accepted teeth keep their numbers unless the first one is accepted itself, and so do locked ones. None for what is not a tooth.
 *
 * isKnown: whether there is a label of that number.
 */
export function shiftOfRun(
  objects: readonly Numbered[],
  start: Numbered,
  direction: Direction,
  isKnown: (number: string) => boolean,
): Move[] {
  const { category } = start;
  if (category === null || !isTooth(category)) return [];
  const moves = ({ id, accepted, locked }: Numbered) => !locked && (id === start.id || start.accepted || !accepted);
  const run = objects
    .flatMap((object) => {
      const { id, category: from } = object;
      const behind = from !== null && isTooth(from) && from[0] === category[0] && from >= category;
      return behind && moves(object) ? [{ id, from }] : [];
    })
    .sort((a, b) => (a.from < b.from ? -1 : 1));
  const moving = new Set(run.map(({ id }) => id));
  const staying = objects.filter(({ id }) => !moving.has(id));
  return run.map(({ id, from }) => {
    const next = neighbourOf(from, direction);
    const to = next !== null && isKnown(next) ? next : null;
    const owners = to === null ? [] : staying.filter((object) => object.category === to);
    const onto = owners.length === 0 ? null : owners.some(({ accepted }) => accepted) ? "accepted" : "other";
    return { id, from, to, onto };
  });
}

function neighbourOf(number: string, direction: Direction): string | null {
  const row = ROWS.find((teeth) => teeth.includes(number));
  if (row === undefined) return null;
  const at = row.indexOf(number);
  // On the left half of the picture distal is to the left.
  const outward = at < row.length / 2 ? -1 : 1;
  return row[at + (direction === "distal" ? outward : -outward)] ?? null;
}
