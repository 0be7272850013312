import { Bitmask, BoxMask } from "../masks/mask";
import type { PackedMask } from "../masks/packed_mask";
import type { ModelRecord, ObjectOperation, ObjectSource, ObjectState, Prompts } from "../operations";
import type { MaskChoices } from "./mask_choices";
import { isProposed, touchesAfter } from "./proposals";

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
  /** Of a proposal: the probability that it is there and its category is right. */
  confidence: number | null = null;
  /** Of a proposal: the operations by which people changed it and that are not undone; accepting is none. */
  touches: readonly string[] = [];
  readonly mask: Bitmask;
  /** Pixels painted and erased by hand, which the model leaves as they are: painted inside the mask, erased outside. */
  readonly painted: Bitmask;
  readonly erased: Bitmask;
  /** The mask before the first manual change since the model's last answer; null without such a change. */
  uncorrected: PackedMask | null = null;
  /** Local: what the model offers while its first answer is the object's mask; null before and after. */
  choices: MaskChoices | null = null;

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

  /** Takes over fields of what the server holds: all of them, or those that an operation of another client sets. */
  setFields(fields: Partial<ObjectState>): void {
    const { category, parent, source, locked, accepted, deleted, prompts, model, mask, painted, erased } = fields;
    const { confidence, touches } = fields;
    if (confidence !== undefined) this.confidence = confidence;
    if (touches !== undefined) this.touches = touches;
    if (category !== undefined) this.category = category;
    if (parent !== undefined) this.parent = parent;
    if (source !== undefined) this.source = source;
    if (locked !== undefined) this.locked = locked;
    if (accepted !== undefined) this.accepted = accepted;
    if (deleted !== undefined) this.deleted = deleted;
    if (prompts !== undefined) this.prompts = prompts ?? NO_PROMPTS;
    if (model !== undefined) this.model = model;
    if (painted !== undefined) this.painted.restore(painted ?? BoxMask.empty());
    if (erased !== undefined) this.erased.restore(erased ?? BoxMask.empty());
    if (mask === undefined) return;
    this.mask.restore(mask ?? BoxMask.empty());
    this.uncorrected = null;
    this.choices = null;
  }

  /** Whether it is as the model proposed it, and nobody has accepted it. */
  get proposed(): boolean {
    return isProposed(this);
  }

  /** Takes note of an operation on it, which may touch a proposal or undo a touch. */
  noteTouch(operation: ObjectOperation): void {
    this.touches = touchesAfter(this, operation);
  }

  get area(): number {
    return this.mask.area;
  }

  get score(): number | null {
    return this.model?.score ?? null;
  }

  /** Whether one of the two is the other's parent: such objects lie inside each other and are not neighbours. */
  isKin(other: CaseObject): boolean {
    return this.parent === other.id || other.parent === this.id;
  }
}
