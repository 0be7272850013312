import type { PackedMask } from "../masks/packed_mask";
import type { MaskTool, ModelRecord, Prompts, Status } from "../operations";
import type { MaskChoices } from "./mask_choices";

/** What changes together with the mask of an object. */
export interface MaskContext {
  prompts: Prompts;
  model: ModelRecord | null;
  uncorrected: PackedMask | null;
  choices: MaskChoices | null;
}

/** A change of pixels: each mask is 1 where a pixel was flipped, so flipping it again undoes and redoes the change. */
export interface MaskChange {
  kind: "mask";
  object: string;
  tool: MaskTool;
  mask: PackedMask | null;
  painted: PackedMask | null;
  erased: PackedMask | null;
  before: MaskContext;
  after: MaskContext;
  /** The last operation that made, undid or redid it. */
  operation: string;
}

export type FieldValue =
  | { field: "category" | "parent"; before: string | null; after: string | null }
  | { field: "locked" | "accepted" | "deleted"; before: boolean; after: boolean };

export type FieldChange = { kind: "field"; object: string; operation: string } & FieldValue;

/** A change of the status of the case. */
export interface StatusChange {
  kind: "status";
  object: null;
  before: Status;
  after: Status;
  operation: string;
}

/** A tooth is marked as missing, or no longer. */
export interface MissingChange {
  kind: "missing";
  object: null;
  number: string;
  before: boolean;
  after: boolean;
  operation: string;
}

export type Change = MaskChange | FieldChange | StatusChange | MissingChange;

/** One step of undo. */
export interface Entry {
  changes: Change[];
}

export const MAX_STEPS = 300;
export const MAX_BYTES = 256 * 1024 * 1024;

/** Undo and redo of one case. The oldest steps go when there are too many or they hold too many bytes. */
export class History {
  private done: Entry[] = [];
  private undone: Entry[] = [];
  private held = 0;

  constructor(
    private readonly depth = MAX_STEPS,
    private readonly bytes = MAX_BYTES,
  ) {}

  get undoable(): number {
    return this.done.length;
  }

  get redoable(): number {
    return this.undone.length;
  }

  get size(): number {
    return this.held;
  }

  push(entry: Entry): void {
    for (const gone of this.undone) this.held -= weight(gone);
    this.undone = [];
    this.done.push(entry);
    this.held += weight(entry);
    while (this.done.length > this.depth || (this.held > this.bytes && this.done.length > 1)) {
      const oldest = this.done.shift();
      if (oldest !== undefined) this.held -= weight(oldest);
    }
  }

  /** Adds changes to the last step. */
  extend(changes: readonly Change[]): void {
    const entry = this.done.pop();
    if (entry === undefined) return;
    this.held -= weight(entry);
    this.push({ changes: [...entry.changes, ...changes] });
  }

  /** The step to undo; the next `forward` returns the same one. */
  back(): Entry | null {
    const entry = this.done.pop();
    if (entry === undefined) return null;
    this.undone.push(entry);
    return entry;
  }

  forward(): Entry | null {
    const entry = this.undone.pop();
    if (entry === undefined) return null;
    this.done.push(entry);
    return entry;
  }

  /** Forgets changes that no longer fit what the case has become. */
  drop(stale: (change: Change) => boolean): void {
    const left = (entries: Entry[]): Entry[] =>
      entries
        .map((entry) => ({ changes: entry.changes.filter((change) => !stale(change)) }))
        .filter((entry) => entry.changes.length > 0);
    this.done = left(this.done);
    this.undone = left(this.undone);
    this.held = [...this.done, ...this.undone].reduce((sum, entry) => sum + weight(entry), 0);
  }

  clear(): void {
    this.done = [];
    this.undone = [];
    this.held = 0;
  }
}

function weight(entry: Entry): number {
  let bytes = 0;
  for (const change of entry.changes) {
    bytes += 200;
    if (change.kind !== "mask") continue;
    for (const mask of [change.mask, change.painted, change.erased]) bytes += mask?.runs.length ?? 0;
  }
  return bytes;
}
