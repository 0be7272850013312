import { type Bitmask, BoxMask, intersection, isEmpty } from "./mask";
import type { Rect } from "./types";

const SIDE = 64;

/**
 * What a running edit changes in one mask. A 64 x 64 tile is copied the first time it is touched, so that a stroke
 * costs by where it goes and never by how large the mask is or how long the stroke has become.
 */
export class Tracker {
  /** Pixels copied so far. */
  copied = 0;
  private readonly tiles = new Map<number, Uint8Array>();
  private readonly columns: number;

  constructor(readonly mask: Bitmask) {
    this.columns = Math.ceil(mask.width / SIDE);
  }

  /** To be called before pixels of `rect` are changed. */
  touch(rect: Rect): void {
    const inside = intersection(rect, { x: 0, y: 0, width: this.mask.width, height: this.mask.height });
    if (isEmpty(inside)) return;
    const right = Math.floor((inside.x + inside.width - 1) / SIDE);
    const bottom = Math.floor((inside.y + inside.height - 1) / SIDE);
    for (let row = Math.floor(inside.y / SIDE); row <= bottom; row++) {
      for (let column = Math.floor(inside.x / SIDE); column <= right; column++) {
        const key = row * this.columns + column;
        if (this.tiles.has(key)) continue;
        this.tiles.set(key, this.mask.copy({ x: column * SIDE, y: row * SIDE, width: SIDE, height: SIDE }).bits);
        this.copied += SIDE * SIDE;
      }
    }
  }

  /** The changed pixels as 1 in their smallest box; null when none changed. Flipping them takes the edit back. */
  changes(): BoxMask | null {
    const parts: BoxMask[] = [];
    for (const [key, before] of this.tiles) {
      const x = (key % this.columns) * SIDE;
      const y = Math.floor(key / this.columns) * SIDE;
      const bits = this.mask.copy({ x, y, width: SIDE, height: SIDE }).bits;
      for (let index = 0; index < bits.length; index++) bits[index] ^= before[index];
      const part = new BoxMask(x, y, SIDE, SIDE, bits).tight();
      if (part.width > 0) parts.push(part);
    }
    if (parts.length === 0) return null;
    const x = Math.min(...parts.map((part) => part.x));
    const y = Math.min(...parts.map((part) => part.y));
    const width = Math.max(...parts.map((part) => part.x + part.width)) - x;
    const height = Math.max(...parts.map((part) => part.y + part.height)) - y;
    const bits = new Uint8Array(width * height);
    for (const part of parts) {
      for (let row = 0; row < part.height; row++) {
        const source = part.bits.subarray(row * part.width, (row + 1) * part.width);
        bits.set(source, (part.y + row - y) * width + (part.x - x));
      }
    }
    return new BoxMask(x, y, width, height, bits);
  }
}
