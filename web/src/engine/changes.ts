import type { Flips } from "./hand_edit";
import type { Change, MaskChange, MaskContext } from "./history";
import { newId } from "./identity";
import { BoxMask } from "./mask";
import { type CaseObject, packMask } from "./objects";
import { union } from "./rect";
import type { MaskTool, ObjectOperation, Point, Prompts } from "./types";

/** More points than this say no more about a line. */
const MOST_POINTS = 20_000;

/** What of an object a step of the history keeps beside the pixels. */
export function contextOf(object: CaseObject): MaskContext {
  const { prompts, model, uncorrected } = object;
  return { prompts, model, uncorrected };
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
export function fieldOperation(change: Change & { kind: "field" }, back: boolean, links: { undoes?: string }): ObjectOperation {
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

/** What the hand painted and erased stands above what the model says. */
export function constrain(object: CaseObject): void {
  object.painted.snapshot().eachRun((y, x0, x1) => object.mask.setSpan(y, x0, x1, 1));
  object.erased.snapshot().eachRun((y, x0, x1) => object.mask.setSpan(y, x0, x1, 0));
}

/** The pixels in which two masks differ, in their smallest box; null when there are none. */
export function difference(a: BoxMask, b: BoxMask): BoxMask | null {
  const box = union(a, b);
  const bits = new Uint8Array(box.width * box.height);
  for (const mask of [a, b]) {
    for (let row = 0; row < mask.height; row++) {
      const target = (mask.y + row - box.y) * box.width + (mask.x - box.x);
      for (let column = 0; column < mask.width; column++) bits[target + column] ^= mask.bits[row * mask.width + column];
    }
  }
  const tight = new BoxMask(box.x, box.y, box.width, box.height, bits).tight();
  return tight.width === 0 ? null : tight;
}

export function isBlank(prompts: Prompts): boolean {
  return prompts.clicks.length === 0 && prompts.box === null;
}

/** A line as the log keeps it: hundredths of a pixel, and of an endless line every nth point. */
export function recorded(points: readonly Point[]): [number, number][] {
  const step = Math.ceil(points.length / MOST_POINTS);
  const kept = points.filter((_, index) => index % step === 0 || index === points.length - 1);
  return kept.map(([x, y]) => [Math.round(x * 100) / 100, Math.round(y * 100) / 100]);
}
