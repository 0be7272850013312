import { contains, intersection, isEmpty, NOWHERE, type Rect, union } from "../geometry/rect";

/** A finished mask: the bits (0 or 1, row-major) of a box of the image. Empty: width and height 0. */
export class BoxMask {
  constructor(
    readonly x: number,
    readonly y: number,
    readonly width: number,
    readonly height: number,
    readonly bits: Uint8Array,
  ) {
    if (bits.length !== width * height) {
      throw new RangeError(`a mask of ${width} x ${height} needs ${width * height} bits, not ${bits.length}`);
    }
  }

  static empty(): BoxMask {
    return new BoxMask(0, 0, 0, 0, new Uint8Array(0));
  }

  get area(): number {
    let sum = 0;
    for (let i = 0; i < this.bits.length; i++) sum += this.bits[i]!;
    return sum;
  }

  get(x: number, y: number): 0 | 1 {
    const column = x - this.x;
    const row = y - this.y;
    if (column < 0 || row < 0 || column >= this.width || row >= this.height) return 0;
    return this.bits[row * this.width + column] as 0 | 1;
  }

  /** Calls back with each run of ones: pixels x0 <= x < x1 of the image's row y. */
  eachRun(visit: (y: number, x0: number, x1: number) => void): void {
    const { width, bits } = this;
    for (let row = 0; row < this.height; row++) {
      const [start, stop] = [row * width, (row + 1) * width];
      for (let index = start; index < stop; index++) {
        if (bits[index] === 0) continue;
        const first = index;
        while (index < stop && bits[index] !== 0) index++;
        visit(this.y + row, this.x + first - start, this.x + index - start);
      }
    }
  }

  /** The same mask in the smallest box. */
  tight(): BoxMask {
    const box = boundsOf(this.bits, this.width, this.height);
    if (box === null) return BoxMask.empty();
    if (box.width === this.width && box.height === this.height) return this;
    const bits = new Uint8Array(box.width * box.height);
    for (let row = 0; row < box.height; row++) {
      const start = (box.y + row) * this.width + box.x;
      bits.set(this.bits.subarray(start, start + box.width), row * box.width);
    }
    return new BoxMask(this.x + box.x, this.y + box.y, box.width, box.height, bits);
  }

  equals(other: BoxMask): boolean {
    const a = this.tight();
    const b = other.tight();
    if (a.x !== b.x || a.y !== b.y || a.width !== b.width || a.height !== b.height) return false;
    return a.bits.every((bit, index) => bit === b.bits[index]);
  }
}

/** The smallest box holding every one of `bits`, or null when there is none. */
export function boundsOf(bits: Uint8Array, width: number, height: number): Rect | null {
  const first = bits.indexOf(1);
  if (first < 0 || height === 0) return null;
  const top = Math.floor(first / width);
  const bottom = Math.floor(bits.lastIndexOf(1) / width);
  let left = width;
  let right = -1;
  // Of each row only what lies outside of the columns that are known to be needed.
  for (let row = top; row <= bottom; row++) {
    const start = row * width;
    const before = bits.subarray(start, start + left).indexOf(1);
    if (before >= 0) left = before;
    const after = bits.subarray(start + right + 1, start + width).lastIndexOf(1);
    if (after >= 0) right += after + 1;
  }
  return { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

const BOX_GRID = 64;

/**
 * A mutable mask of an image, a byte a pixel. Only a box that grows with what is painted is stored, so that sixty
 * objects on a large image stay small; it grows by half of its size, so that the copies cost little per dab.
 */
export class Bitmask {
  /** The stored box; `bits` are its rows. Outside of it the mask is 0. */
  box: Rect = { x: 0, y: 0, width: 0, height: 0 };
  bits: Uint8Array = new Uint8Array(0);
  /** Pixels that are 1. */
  area = 0;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {}

  static of(mask: BoxMask | null, width: number, height: number): Bitmask {
    const made = new Bitmask(width, height);
    if (mask !== null) made.restore(mask);
    return made;
  }

  get(x: number, y: number): 0 | 1 {
    const { box } = this;
    const column = x - box.x;
    const row = y - box.y;
    if (column < 0 || row < 0 || column >= box.width || row >= box.height) return 0;
    return this.bits[row * box.width + column] as 0 | 1;
  }

  set(x: number, y: number, value: 0 | 1): void {
    this.setSpan(y, x, x + 1, value);
  }

  /** Pixels x0 <= x < x1 of row y, clipped to the image. Returns how many changed. */
  setSpan(y: number, x0: number, x1: number, value: 0 | 1): number {
    const span = this.within(y, x0, x1, value);
    if (span === null) return 0;
    let changed = 0;
    for (let index = span[0]; index < span[1]; index++) {
      if (this.bits[index] !== value) {
        this.bits[index] = value;
        changed++;
      }
    }
    this.area += value === 1 ? changed : -changed;
    return changed;
  }

  /** As `setSpan`, for the pixels only whose byte in `allowed` (the pixel x0 first) is not 0. */
  setSpanWhere(y: number, x0: number, x1: number, value: 0 | 1, allowed: Uint8Array): number {
    const span = this.within(y, x0, x1, value);
    if (span === null) return 0;
    const shift = y - this.box.y;
    const offset = shift * this.box.width + (x0 - this.box.x);
    let changed = 0;
    for (let index = span[0]; index < span[1]; index++) {
      if (allowed[index - offset] !== 0 && this.bits[index] !== value) {
        this.bits[index] = value;
        changed++;
      }
    }
    this.area += value === 1 ? changed : -changed;
    return changed;
  }

  /** Grows the stored box to hold `rect` (clipped to the image). */
  reserve(rect: Rect): void {
    const wanted = intersection(rect, { x: 0, y: 0, width: this.width, height: this.height });
    if (isEmpty(wanted) || contains(this.box, wanted)) return;
    const old = this.box;
    const first = isEmpty(old);
    const grown = union(old, wanted);
    const marginX = first ? 0 : Math.ceil(grown.width / 4);
    const marginY = first ? 0 : Math.ceil(grown.height / 4);
    const left = wanted.x < old.x || first ? floorTo(grown.x - marginX) : old.x;
    const top = wanted.y < old.y || first ? floorTo(grown.y - marginY) : old.y;
    const oldRight = old.x + old.width;
    const oldBottom = old.y + old.height;
    const right = wanted.x + wanted.width > oldRight || first ? ceilTo(grown.x + grown.width + marginX) : oldRight;
    const bottom =
      wanted.y + wanted.height > oldBottom || first ? ceilTo(grown.y + grown.height + marginY) : oldBottom;
    const x = Math.max(0, left);
    const y = Math.max(0, top);
    const box = { x, y, width: Math.min(this.width, right) - x, height: Math.min(this.height, bottom) - y };
    const bits = new Uint8Array(box.width * box.height);
    for (let row = 0; row < old.height; row++) {
      const source = row * old.width;
      bits.set(this.bits.subarray(source, source + old.width), (old.y + row - box.y) * box.width + (old.x - box.x));
    }
    this.box = box;
    this.bits = bits;
  }

  /** A copy in the smallest box. */
  snapshot(): BoxMask {
    const { box } = this;
    if (this.area === 0) return BoxMask.empty();
    const inner = boundsOf(this.bits, box.width, box.height);
    if (inner === null) return BoxMask.empty();
    return this.copy({ x: box.x + inner.x, y: box.y + inner.y, width: inner.width, height: inner.height });
  }

  /** A copy of the bits within `rect`, which may lie outside of the stored box. */
  copy(rect: Rect): BoxMask {
    const bits = new Uint8Array(rect.width * rect.height);
    const common = intersection(rect, this.box);
    for (let row = 0; row < common.height; row++) {
      const source = (common.y + row - this.box.y) * this.box.width + (common.x - this.box.x);
      const target = (common.y + row - rect.y) * rect.width + (common.x - rect.x);
      bits.set(this.bits.subarray(source, source + common.width), target);
    }
    return new BoxMask(rect.x, rect.y, rect.width, rect.height, bits);
  }

  /** Replaces the whole mask; what lies outside of the image is cut off. Returns where it may have changed. */
  restore(mask: BoxMask): Rect {
    const before = this.area === 0 ? NOWHERE : { ...this.box };
    this.bits.fill(0);
    this.area = 0;
    const wanted = { x: mask.x, y: mask.y, width: mask.width, height: mask.height };
    const common = intersection(wanted, { x: 0, y: 0, width: this.width, height: this.height });
    if (isEmpty(common)) return before;
    this.reserve(common);
    for (let row = 0; row < common.height; row++) {
      const source = (common.y + row - mask.y) * mask.width + (common.x - mask.x);
      const target = (common.y + row - this.box.y) * this.box.width + (common.x - this.box.x);
      for (let column = 0; column < common.width; column++) {
        const bit = mask.bits[source + column] !== 0 ? 1 : 0;
        this.bits[target + column] = bit;
        this.area += bit;
      }
    }
    return union(before, common);
  }

  clear(): Rect {
    return this.restore(BoxMask.empty());
  }

  /** Flips pixels x0 <= x < x1 of row y, which lie within the stored box. */
  flipSpan(y: number, x0: number, x1: number): void {
    const row = (y - this.box.y) * this.box.width - this.box.x;
    let ones = 0;
    for (let index = row + x0; index < row + x1; index++) ones += this.bits[index]! ^= 1;
    this.area += 2 * ones - (x1 - x0);
  }

  /** Flips every pixel that is 1 in `mask`. Returns its box. */
  flip(mask: BoxMask): Rect {
    const rect = { x: mask.x, y: mask.y, width: mask.width, height: mask.height };
    if (isEmpty(rect)) return NOWHERE;
    this.reserve(rect);
    for (let row = 0; row < mask.height; row++) {
      const target = (mask.y + row - this.box.y) * this.box.width + (mask.x - this.box.x);
      for (let column = 0; column < mask.width; column++) {
        if (mask.bits[row * mask.width + column] === 0) continue;
        const bit = this.bits[target + column]! ^ 1;
        this.bits[target + column] = bit;
        this.area += bit === 1 ? 1 : -1;
      }
    }
    return rect;
  }

  equals(other: Bitmask): boolean {
    return this.area === other.area && this.snapshot().equals(other.snapshot());
  }

  private within(y: number, x0: number, x1: number, value: 0 | 1): [number, number] | null {
    if (y < 0 || y >= this.height) return null;
    let start = Math.max(0, x0);
    let stop = Math.min(this.width, x1);
    if (start >= stop) return null;
    if (value === 1) {
      this.reserve({ x: start, y, width: stop - start, height: 1 });
    } else {
      if (y < this.box.y || y >= this.box.y + this.box.height) return null;
      start = Math.max(start, this.box.x);
      stop = Math.min(stop, this.box.x + this.box.width);
      if (start >= stop) return null;
    }
    const row = (y - this.box.y) * this.box.width - this.box.x;
    return [row + start, row + stop];
  }
}

function floorTo(value: number): number {
  return Math.floor(value / BOX_GRID) * BOX_GRID;
}

function ceilTo(value: number): number {
  return Math.ceil(value / BOX_GRID) * BOX_GRID;
}
