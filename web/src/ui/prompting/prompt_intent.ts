import type { CaseEditor, CaseObject } from "../../engine/editing/case_editor";
import type { Point } from "../../engine/geometry/point";
import type { Bitmask } from "../../engine/masks/mask";
import { sharedPixels } from "../../engine/masks/overlap";
import type { BoxPrompt } from "../../engine/operations";

/** What a positive click or a box is for. */
export type Intent =
  /** It corrects the active object. */
  | { kind: "correct" }
  /** It begins an object. */
  | { kind: "begin" }
  /** The place belongs to another object: that one becomes active, and nothing changes. */
  | { kind: "go"; id: string }
  /** It lies within the active object, which is accepted. */
  | { kind: "accepted" }
  /** It may be meant for the active object or for another one. */
  | { kind: "ask" };

/** A click this near to a mask is meant for it: share of the square root of its area, limited to shares of the image's width. */
const NEAR_SHARE = 0.2;
const [MIN_NEAR_SHARE, MAX_NEAR_SHARE] = [0.004, 0.02];
/** A click this far from a proposal, in square roots of its area, is for another tooth: nobody has begun on the proposal. */
const FAR_FROM_PROPOSAL = 0.75;
/** While an object has no mask yet: from its first clicks, as a share of the image's width. */
const NEAR_CLICK_SHARE = 0.04;
/** An object lies in a larger one when so much of it does. */
const INSIDE_SHARE = 0.5;

interface IntentContext {
  /** A new object was requested (`N`), so it may begin within another one. */
  newObjectRequested: boolean;
  /** Clicks of the active object that the model has not answered yet. */
  waiting: readonly Point[];
}

/** What a positive click at an image point is for. */
export function intentOfClick(
  editor: CaseEditor,
  point: Point,
  { newObjectRequested, waiting }: IntentContext,
): Intent {
  const { active } = editor;
  const [x, y] = [Math.floor(point[0]), Math.floor(point[1])];
  const others = editor.objects
    .filter((object) => object !== active && object.mask.get(x, y) === 1)
    .sort((a, b) => a.area - b.area);
  const [smallest] = others;
  if (active === null) {
    return newObjectRequested || smallest === undefined ? { kind: "begin" } : { kind: "go", id: smallest.id };
  }
  if (active.area === 0) {
    const far = waiting.every(
      ([cx, cy]) => Math.hypot(cx - point[0], cy - point[1]) > NEAR_CLICK_SHARE * editor.width,
    );
    return waiting.length > 0 && far ? { kind: "ask" } : { kind: "correct" };
  }
  if (active.mask.get(x, y) === 1) {
    // A filling lies on its tooth: the click is on the filling.
    const above = others.find((other) => liesIn(other, active));
    if (above !== undefined) return { kind: "go", id: above.id };
    return { kind: active.accepted ? "accepted" : "correct" };
  }
  // An object that contains the active one surrounds every correction of it and is not meant.
  const other = others.find((one) => !liesIn(active, one));
  if (other !== undefined) return { kind: "go", id: other.id };
  if (active.accepted) return { kind: "begin" };
  if (isNear(active.mask, [x, y], nearness(editor, active))) return { kind: "correct" };
  const far = active.proposed && !isNear(active.mask, [x, y], FAR_FROM_PROPOSAL * Math.sqrt(active.area));
  return far ? { kind: "begin" } : { kind: "ask" };
}

/** What a box, in the model's coordinates, is for. */
export function intentOfBox(editor: CaseEditor, [x0, y0, x1, y1]: BoxPrompt): Intent {
  const { active } = editor;
  if (active === null || active.accepted) return { kind: "begin" };
  if (active.area === 0) return { kind: "correct" };
  const [x, y] = [Math.floor(x0), Math.floor(y0)];
  const rect = { x, y, width: Math.ceil(x1) - x + 1, height: Math.ceil(y1) - y + 1 };
  return active.mask.copy(rect).bits.includes(1) ? { kind: "correct" } : { kind: "ask" };
}

function nearness(editor: CaseEditor, object: CaseObject): number {
  return Math.min(
    MAX_NEAR_SHARE * editor.width,
    Math.max(MIN_NEAR_SHARE * editor.width, NEAR_SHARE * Math.sqrt(object.area)),
  );
}

function isNear(mask: Bitmask, [x, y]: Point, reach: number): boolean {
  const far = Math.ceil(reach);
  for (let dy = -far; dy <= far; dy++) {
    for (let dx = -far; dx <= far; dx++)
      if (dx * dx + dy * dy <= reach * reach && mask.get(x + dx, y + dy) === 1) return true;
  }
  return false;
}

function liesIn(inner: CaseObject, outer: CaseObject): boolean {
  if (inner.area === 0 || inner.area >= outer.area) return false;
  return sharedPixels(inner.mask, outer.mask) >= INSIDE_SHARE * inner.area;
}
