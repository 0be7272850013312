import { difference } from "../masks/difference";
import type { BoxMask } from "../masks/mask";
import { unpackMask } from "../masks/packed_mask";
import type { ModelRecord, Prompts } from "../operations";
import type { CaseLog } from "./case_log";
import type { CaseObjects } from "./case_objects";
import { contextOf, keepManualPixels, maskChange } from "./changes";

export interface Prediction {
  mask: BoxMask;
  tool: "click" | "box" | "refine";
  /** All prompts the object has now, not only the new ones. */
  prompts: Prompts;
  model: ModelRecord | null;
}

/** Masks that the model predicts, and the manual corrections that it refines them from. */
export class Predictions {
  constructor(
    private readonly objects: CaseObjects,
    private readonly log: CaseLog,
  ) {}

  /** Takes over the model's mask; painted and erased pixels stay as they are. False for a locked or unknown object. */
  apply(id: string, { mask, tool, prompts, model }: Prediction): boolean {
    const object = this.objects.editable(id);
    if (object === null) return false;
    const before = contextOf(object);
    const old = object.mask.snapshot();
    object.mask.restore(mask);
    keepManualPixels(object);
    const flipped = difference(old, object.mask.snapshot());
    object.prompts = prompts;
    object.model = model;
    object.uncorrected = null;
    const change = maskChange({ object, mask: flipped, painted: null, erased: null }, tool, before);
    this.log.changedMasks([change]);
    if (flipped !== null) this.objects.dirty(id, flipped);
    return true;
  }

  /** The object's mask before and after the manual changes since the model's last answer; null without any. */
  lastCorrection(id: string): { before: BoxMask; after: BoxMask } | null {
    const object = this.objects.get(id);
    if (object === undefined || object.uncorrected === null) return null;
    const before = unpackMask(object.uncorrected);
    const after = object.mask.snapshot();
    return before.equals(after) ? null : { before, after };
  }
}
