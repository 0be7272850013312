import type { Point } from "../geometry/point";
import type { BoxMask } from "../masks/mask";
import { packMask } from "../masks/packed_mask";
import { newId } from "../new_id";
import type { MaskTool, ObjectOperation, Prompts } from "../operations";
import type { CaseObject } from "./case_object";
import type { Change, FieldChange, MaskChange, MaskContext } from "./history";
import type { Flips } from "./span_writer";

/** The log keeps at most about so many points of a line. */
const MAX_LOGGED_POINTS = 20_000;

/** What a step of the history keeps of an object beside the pixels. */
export function contextOf(object: CaseObject): MaskContext {
  const { prompts, model, uncorrected, choices } = object;
  return { prompts, model, uncorrected, choices };
}

/** The pixels that were flipped, as a change whose context is the object as it is now. */
export function maskChange(flips: Flips, tool: MaskTool, before: MaskContext): MaskChange {
  const packed = (mask: BoxMask | null) => (mask === null ? null : packMask(mask));
  return {
    kind: "mask",
    object: flips.object.id,
    tool,
    mask: packed(flips.mask),
    painted: packed(flips.painted),
    erased: packed(flips.erased),
    before,
    after: contextOf(flips.object),
    operation: "",
  };
}

/** The operation that makes a change of a field, or takes it back. */
export function fieldOperation(
  change: Change & { kind: "field" },
  back: boolean,
  links: { undoes?: string },
): ObjectOperation {
  const stamp = { id: newId(), time: Date.now(), object: change.object, ...links };
  switch (change.field) {
    case "category":
      return { ...stamp, kind: "relabel", data: { category: back ? change.before : change.after } };
    case "parent":
      return { ...stamp, kind: "parent", data: { parent: back ? change.before : change.after } };
    case "locked":
      return { ...stamp, kind: "lock", data: { locked: back ? change.before : change.after } };
    case "accepted":
      return { ...stamp, kind: "accept", data: { accepted: back ? change.before : change.after } };
    case "deleted":
      return { ...stamp, kind: "delete", data: { deleted: back ? change.before : change.after } };
  }
}

export function assign(object: CaseObject, change: Change & { kind: "field" }, value: string | boolean | null): void {
  if (change.field === "category" || change.field === "parent") {
    object[change.field] = typeof value === "string" ? value : null;
  } else {
    object[change.field] = value === true;
  }
}

/** Sets what was painted and clears what was erased by hand: manual pixels override the model. */
export function keepManualPixels(object: CaseObject): void {
  object.painted.snapshot().eachRun((y, x0, x1) => object.mask.setSpan(y, x0, x1, 1));
  object.erased.snapshot().eachRun((y, x0, x1) => object.mask.setSpan(y, x0, x1, 0));
}

export function isBlank(prompts: Prompts): boolean {
  return prompts.clicks.length === 0 && prompts.box === null;
}

/** A line as the log keeps it: rounded to hundredths of a pixel, and of a very long line only every nth point. */
export function loggedPoints(points: readonly Point[]): [number, number][] {
  const step = Math.ceil(points.length / MAX_LOGGED_POINTS);
  const kept = points.filter((_, index) => index % step === 0 || index === points.length - 1);
  return kept.map(([x, y]) => [Math.round(x * 100) / 100, Math.round(y * 100) / 100]);
}

const FIELD_OF: Partial<Record<ObjectOperation["kind"], FieldChange["field"]>> = {
  relabel: "category",
  parent: "parent",
  lock: "locked",
  accept: "accepted",
};

/**
 * Whether undoing `change` after `operation`, which another client made, would undo the other's work: pixels, the same
 * field, or the existence of the object.
 */
export function isStale(change: Change, operation: ObjectOperation): boolean {
  if (change.object === null || change.object !== operation.object) return false;
  if (operation.kind === "lock" && operation.data.locked) return true;
  if (change.kind === "mask") return operation.kind === "mask" || operation.kind === "create";
  return change.field === "deleted" || FIELD_OF[operation.kind] === change.field;
}
