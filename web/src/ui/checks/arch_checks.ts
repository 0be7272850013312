import { type Rect, union } from "../../engine/geometry/rect";
import { DECIDUOUS, isDeciduous, PERMANENT } from "../labels/fdi";
import type { CheckedTooth } from "./checked_tooth";

/** Crowded teeth overlap: their centres may pass each other by this share of the narrower one's width. */
const TOLERANCE = 0.1;
/** Teeth this far apart, in widths of a tooth, do not touch; neighbours by number hardly ever stand so far apart. */
const WIDE = 0.5;

/**
 * Neighbours in an arch, without those that are missing, of which the left one lies to the right of the other; numbers that are
 * there twice are left out. As `exchanged_neighbours` of data/teeth/arch_order.py.
 */
export function exchangedNeighbours(teeth: readonly CheckedTooth[]): [string, string][] {
  const found: [string, string][] = [];
  for (const arch of [...PERMANENT, ...DECIDUOUS]) {
    const there = arch.flatMap((number) => {
      const owners = teeth.filter((tooth) => tooth.number === number);
      return owners.length === 1 ? owners : [];
    });
    for (const [left, right] of pairsOf(there)) {
      const passed = left.x + left.width / 2 - (right.x + right.width / 2);
      if (passed > TOLERANCE * Math.min(left.width, right.width)) found.push([left.id, right.id]);
    }
  }
  return found;
}

export interface Gap {
  /** skipped: a number is left out though its neighbours touch. gap: there is room that nothing says anything about. */
  kind: "skipped" | "gap";
  neighbours: readonly [string, string];
  /** The numbers that would stand there. */
  absent: readonly string[];
}

/** A place of an arch with the teeth that have it: a tooth, its deciduous predecessor, or both. */
interface Place {
  at: number;
  id: string;
  box: Rect;
}

/** Between neighbours of an arch: numbers left out without a mark that they are missing, and wide gaps. */
export function gaps(
  teeth: readonly CheckedTooth[],
  implants: readonly CheckedTooth[],
  missing: readonly string[],
): Gap[] {
  return PERMANENT.flatMap((arch) => {
    const places = placesOf(teeth, arch);
    return pairsOf(places).flatMap(([left, right]): Gap[] => {
      const between = arch.slice(left.at + 1, right.at);
      const absent = between.filter((number) => !missing.includes(number));
      if (between.length > 0 && absent.length === 0) return [];
      const room = right.box.x - (left.box.x + left.box.width);
      const wide = room > (WIDE * (left.box.width + right.box.width)) / 2;
      if (!wide && between.length === 0) return [];
      if (implants.some((implant) => liesBetween(implant, left.box, right.box))) return [];
      return [{ kind: wide ? "gap" : "skipped", neighbours: [left.id, right.id], absent }];
    });
  });
}

/** Each of a row with the one after it. */
function pairsOf<T>(row: readonly T[]): [T, T][] {
  return row.flatMap((one, at): [T, T][] => {
    const next = row[at + 1];
    return next === undefined ? [] : [[one, next]];
  });
}

function placesOf(teeth: readonly CheckedTooth[], arch: readonly string[]): Place[] {
  return arch.flatMap((number, at) => {
    const owners = teeth.filter((tooth) => successorOf(tooth.number) === number);
    const [first] = owners;
    if (first === undefined) return [];
    return [{ at, id: first.id, box: owners.map((tooth): Rect => tooth).reduce(union) }];
  });
}

/** The permanent number that follows a deciduous one; any other number itself. */
function successorOf(number: string): string {
  return isDeciduous(number) ? `${Number(number[0]) - 4}${number[1]}` : number;
}

function liesBetween({ x, y, width, height }: Rect, left: Rect, right: Rect): boolean {
  const [middle, level] = [x + width / 2, y + height / 2];
  const { y: top, height: down } = union(left, right);
  return middle > left.x + left.width / 2 && middle < right.x + right.width / 2 && level > top && level < top + down;
}
