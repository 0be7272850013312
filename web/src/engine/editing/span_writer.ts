import { intersection, isEmpty, type Rect } from "../geometry/rect";
import type { StrokeSink } from "../geometry/stroke";
import type { Bitmask, BoxMask } from "../masks/mask";
import { Tracker } from "../masks/tracker";
import type { OverlapMode } from "../operations";
import type { CaseObject } from "./case_object";

/** Raw pixel values (row-major, `width` a row) of which only those from `low` to `high` may be changed. */
export interface IntensityLimit {
  pixels: Uint8Array | Uint16Array;
  width: number;
  low: number;
  high: number;
}

export interface SpanWriterOptions {
  mode: OverlapMode;
  /** Every other object of the case. */
  others: readonly CaseObject[];
  limit?: IntensityLimit | null;
  /** Whether the model must keep these pixels as they are; otherwise the edit only lifts earlier constraints. */
  binding?: boolean;
}

/** The pixels of one object that an edit changed: each mask 1 where it was flipped. */
export interface Flips {
  object: CaseObject;
  mask: BoxMask | null;
  painted: BoxMask | null;
  erased: BoxMask | null;
}

/** A manual edit of one object under way: sets or clears spans of its mask by the rules of the overlap mode. */
export class SpanWriter implements StrokeSink {
  private readonly own: Trackers;
  private readonly neighbours = new Map<CaseObject, Trackers>();
  private near: CaseObject[] = [];
  private readonly shrunkNow = new Set<CaseObject>();
  private readonly candidates: CaseObject[];
  private readonly binding: boolean;
  private allowed = new Uint8Array(512);

  constructor(
    private readonly object: CaseObject,
    private readonly value: 0 | 1,
    private readonly options: SpanWriterOptions,
  ) {
    this.own = new Trackers(object);
    this.binding = options.binding ?? true;
    const excludes = options.mode !== "overlap";
    this.candidates = excludes ? options.others.filter((other) => !other.deleted && !other.isKin(object)) : [];
  }

  prepare(rect: Rect): void {
    this.own.touch(rect);
    if (this.value === 1) {
      this.object.mask.reserve(rect);
      if (this.binding) this.object.painted.reserve(rect);
    } else if (this.binding) {
      this.object.erased.reserve(rect);
    }
    this.near = this.candidates.filter((other) => !isEmpty(intersection(other.mask.box, rect)));
  }

  span(y: number, x0: number, x1: number, value: 0 | 1 = this.value): void {
    const allowed = this.permitted(y, x0, x1, value);
    const { mask, painted, erased } = this.object;
    write(mask, y, x0, x1, value, allowed);
    write(value === 1 ? erased : painted, y, x0, x1, 0, allowed);
    if (this.binding) write(value === 1 ? painted : erased, y, x0, x1, 1, allowed);
    if (value === 1 && this.options.mode === "take") {
      for (const other of this.near) if (!other.locked) this.take(other, y, x0, x1, allowed);
    }
  }

  /** Other objects that lost pixels since the last call. */
  takeShrunk(): CaseObject[] {
    const shrunk = [...this.shrunkNow];
    this.shrunkNow.clear();
    return shrunk;
  }

  /** What changed, the object itself first; empty when nothing did. */
  changes(): Flips[] {
    return [this.own, ...this.neighbours.values()]
      .map((trackers) => trackers.flips())
      .filter(({ mask, painted, erased }) => mask !== null || painted !== null || erased !== null);
  }

  /** Pixels copied for undo so far. */
  get copied(): number {
    return [this.own, ...this.neighbours.values()].reduce((sum, trackers) => sum + trackers.copied, 0);
  }

  /** A byte for each pixel, 0 where it may not be changed; null: all may be. */
  private permitted(y: number, x0: number, x1: number, value: 0 | 1): Uint8Array | null {
    const { limit, mode } = this.options;
    const blocking = value === 0 ? [] : this.near.filter((other) => mode === "protect" || other.locked);
    if (!limit && blocking.length === 0) return null;
    const length = x1 - x0;
    if (this.allowed.length < length) this.allowed = new Uint8Array(length * 2);
    const allowed = this.allowed.fill(1, 0, length);
    if (limit) {
      const row = y * limit.width + x0;
      for (let index = 0; index < length; index++) {
        const pixel = limit.pixels[row + index]!;
        if (pixel < limit.low || pixel > limit.high) allowed[index] = 0;
      }
    }
    for (const other of blocking) {
      eachRunOfOnes(other.mask, y, x0, x1, (start, stop) => allowed.fill(0, start - x0, stop - x0));
    }
    return allowed;
  }

  private take(other: CaseObject, y: number, x0: number, x1: number, allowed: Uint8Array | null): void {
    eachRunOfOnes(other.mask, y, x0, x1, (start, stop) => {
      const open = allowed === null ? null : allowed.subarray(start - x0, stop - x0);
      if (open !== null && !open.includes(1)) return;
      let trackers = this.neighbours.get(other);
      if (trackers === undefined) {
        trackers = new Trackers(other);
        this.neighbours.set(other, trackers);
      }
      trackers.touch({ x: start, y, width: stop - start, height: 1 });
      this.shrunkNow.add(other);
      write(other.mask, y, start, stop, 0, open);
      write(other.painted, y, start, stop, 0, open);
      write(other.erased, y, start, stop, 1, open);
    });
  }
}

class Trackers {
  private readonly mask: Tracker;
  private readonly painted: Tracker;
  private readonly erased: Tracker;

  constructor(private readonly object: CaseObject) {
    this.mask = new Tracker(object.mask);
    this.painted = new Tracker(object.painted);
    this.erased = new Tracker(object.erased);
  }

  touch(rect: Rect): void {
    this.mask.touch(rect);
    this.painted.touch(rect);
    this.erased.touch(rect);
  }

  flips(): Flips {
    return {
      object: this.object,
      mask: this.mask.changes(),
      painted: this.painted.changes(),
      erased: this.erased.changes(),
    };
  }

  get copied(): number {
    return this.mask.copied + this.painted.copied + this.erased.copied;
  }
}

function write(mask: Bitmask, y: number, x0: number, x1: number, value: 0 | 1, allowed: Uint8Array | null): void {
  if (allowed === null) mask.setSpan(y, x0, x1, value);
  else mask.setSpanWhere(y, x0, x1, value, allowed);
}

/** Calls back with each run of ones between x0 and x1 of row y; the callback may clear the run it is given. */
function eachRunOfOnes(
  mask: Bitmask,
  y: number,
  x0: number,
  x1: number,
  visit: (start: number, stop: number) => void,
): void {
  const { box, bits } = mask;
  if (y < box.y || y >= box.y + box.height) return;
  const row = (y - box.y) * box.width - box.x;
  const stop = Math.min(x1, box.x + box.width);
  for (let x = Math.max(x0, box.x); x < stop; x++) {
    if (bits[row + x] === 0) continue;
    const start = x;
    while (x < stop && bits[row + x] === 1) x++;
    visit(start, x);
  }
}
