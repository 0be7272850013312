import type { Rect } from "../geometry/rect";
import { type Bitmask, BoxMask } from "./mask";
import { decodeRuns, eachRun, encodeRuns } from "./rle";

/** A mask kept small in memory. */
export interface PackedMask {
  x: number;
  y: number;
  width: number;
  height: number;
  runs: Uint8Array;
}

export function packMask(mask: BoxMask): PackedMask {
  const { x, y, width, height, bits } = mask.tight();
  return { x, y, width, height, runs: encodeRuns(bits) };
}

export function unpackMask({ x, y, width, height, runs }: PackedMask): BoxMask {
  return new BoxMask(x, y, width, height, decodeRuns(runs, width, height));
}

/** Flips the pixels of a packed mask, at a cost by how many they are and not by their box. Returns the box. */
export function flipPacked(mask: Bitmask, { x, y, width, height, runs }: PackedMask): Rect {
  const box = { x, y, width, height };
  mask.reserve(box);
  eachRun(runs, width, (row, x0, x1) => mask.flipSpan(y + row, x + x0, x + x1));
  return box;
}
