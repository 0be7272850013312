import { Bitmask, BoxMask } from "./mask";
import type { Rect } from "./rect";
import { decodeRuns, eachRun, encodeRuns } from "./rle";
import type { ModelRecord, ObjectSource, ObjectState, Prompts } from "./types";

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

export const NO_PROMPTS: Prompts = { clicks: [], box: null };

/** One object of a case. Read it freely; only `CaseEditor` changes it. */
export class CaseObject {
  category: string | null = null;
  parent: string | null = null;
  source: ObjectSource = "manual";
  locked = false;
  accepted = false;
  deleted = false;
  /** Local: neither in the log nor in the history. */
  hidden = false;
  prompts: Prompts = NO_PROMPTS;
  model: ModelRecord | null = null;
  readonly mask: Bitmask;
  /** Pixels that the hand set and cleared; the model leaves them so. painted is within the mask, erased without. */
  readonly painted: Bitmask;
  readonly erased: Bitmask;
  /** The mask before the first change by hand since the model's last answer; null without such a change. */
  uncorrected: PackedMask | null = null;

  constructor(
    readonly id: string,
    /** Place in the order of creation. */
    readonly index: number,
    width: number,
    height: number,
  ) {
    this.mask = new Bitmask(width, height);
    this.painted = new Bitmask(width, height);
    this.erased = new Bitmask(width, height);
  }

  /** Takes over what the server holds. */
  assume(state: ObjectState): void {
    this.category = state.category;
    this.parent = state.parent;
    this.source = state.source;
    this.locked = state.locked;
    this.accepted = state.accepted;
    this.deleted = state.deleted;
    this.prompts = state.prompts ?? NO_PROMPTS;
    this.model = state.model;
    this.mask.restore(state.mask ?? BoxMask.empty());
    this.painted.restore(state.painted ?? BoxMask.empty());
    this.erased.restore(state.erased ?? BoxMask.empty());
    this.uncorrected = null;
  }

  get area(): number {
    return this.mask.area;
  }

  get score(): number | null {
    return this.model?.score ?? null;
  }

  /** Whether one of the two is the other's parent: such objects lie in each other, they are no neighbours. */
  isKin(other: CaseObject): boolean {
    return this.parent === other.id || other.parent === this.id;
  }
}
