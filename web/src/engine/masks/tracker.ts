import { intersection, isEmpty, type Rect } from "../geometry/rect";
import { type Bitmask, BoxMask } from "./mask";

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
      const { bits } = this.mask.copy({ x, y, width: SIDE, height: SIDE });
      if (flipped(bits, before)) parts.push(new BoxMask(x, y, SIDE, SIDE, bits).tight());
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

/** Makes `bits` 1 where they differ from `before`, four at a time; whether they differ at all. */
function flipped(bits: Uint8Array, before: Uint8Array): boolean {
  const words = ({ buffer, byteOffset, length }: Uint8Array) => new Uint32Array(buffer, byteOffset, length / 4);
  const [now, then] = [words(bits), words(before)];
  let any = 0;
  for (let index = 0; index < now.length; index++) any |= now[index]! ^= then[index]!;
  return any !== 0;
}
