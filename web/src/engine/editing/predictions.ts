import { difference } from "../masks/difference";
import type { BoxMask } from "../masks/mask";
import { unpackMask } from "../masks/packed_mask";
import type { MaskTool, ModelRecord, Prompts } from "../operations";
import type { CaseLog } from "./case_log";
import type { CaseObject } from "./case_object";
import type { CaseObjects } from "./case_objects";
import { contextOf, keepManualPixels, maskChange } from "./changes";
import type { MaskContext } from "./history";
import { type Choice, choicesWith, preferredPart } from "./mask_choices";

export interface Prediction {
  mask: BoxMask;
  tool: "click" | "box" | "refine";
  /** All prompts the object has now, not only the new ones. */
  prompts: Prompts;
  model: ModelRecord | null;
  /** What the click may mean, the largest first, `mask` among it; absent where there was no choice. */
  choices?: readonly Choice<BoxMask>[];
}

/** Masks that the model predicts, and the manual corrections that it refines them from. */
export class Predictions {
  constructor(
    private readonly objects: CaseObjects,
    private readonly log: CaseLog,
  ) {}

  /** Takes over the model's mask; painted and erased pixels stay as they are. False for a locked or unknown object. */
  apply(id: string, { mask, tool, prompts, model, choices = [] }: Prediction): boolean {
    const object = this.objects.editable(id);
    if (object === null) return false;
    this.replace(object, tool, mask, { prompts, model, uncorrected: null, choices: choicesWith(mask, choices) });
    return true;
  }

  /** Takes another of the masks that the model offered for the first click. False where there is no such other mask. */
  choose(id: string, index: number): boolean {
    const object = this.objects.editable(id);
    const choice = object?.choices?.offered[index];
    if (!object?.choices || choice === undefined || index === object.choices.taken) return false;
    const { prompts, uncorrected } = object;
    const choices = { ...object.choices, taken: index };
    this.replace(object, "choice", unpackMask(choice.mask), { prompts, model: choice.model, uncorrected, choices });
    return true;
  }

  /** Takes the part where the model's own answer, not a choice of the annotator, is the whole. */
  preferPart(id: string): boolean {
    const choices = this.objects.get(id)?.choices ?? null;
    if (choices === null || choices.taken !== choices.answered) return false;
    return this.choose(id, preferredPart(choices));
  }

  private replace(object: CaseObject, tool: MaskTool, mask: BoxMask, after: MaskContext): void {
    const before = contextOf(object);
    const old = object.mask.snapshot();
    object.mask.restore(mask);
    keepManualPixels(object);
    const flipped = difference(old, object.mask.snapshot());
    Object.assign(object, after);
    const change = maskChange({ object, mask: flipped, painted: null, erased: null }, tool, before);
    this.log.changedMasks([change]);
    if (flipped !== null) this.objects.dirty(object.id, flipped);
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
