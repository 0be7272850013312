import type { Change } from "./history";
import { type CaseObject, NO_PROMPTS } from "./objects";
import type { ObjectOperation } from "./types";

/** The object after one more operation of its log, as the server folds it. */
export function foldInto(object: CaseObject, operation: ObjectOperation): void {
  switch (operation.kind) {
    case "create":
      object.category = operation.data.category;
      object.parent = operation.data.parent;
      object.source = operation.data.source;
      if (operation.mask) object.mask.restore(operation.mask);
      break;
    case "mask":
      object.mask.restore(operation.mask);
      if (operation.painted) object.painted.restore(operation.painted);
      if (operation.erased) object.erased.restore(operation.erased);
      if (operation.data.prompts !== undefined) object.prompts = operation.data.prompts ?? NO_PROMPTS;
      if (operation.data.model !== undefined) object.model = operation.data.model;
      object.uncorrected = null;
      break;
    case "relabel":
      object.category = operation.data.category;
      break;
    case "parent":
      object.parent = operation.data.parent;
      break;
    case "lock":
      object.locked = operation.data.locked;
      break;
    case "accept":
      object.accepted = operation.data.accepted;
      break;
    case "delete":
      object.deleted = operation.data.deleted;
      break;
  }
}

const FIELDS: Partial<Record<ObjectOperation["kind"], string>> = {
  relabel: "category",
  parent: "parent",
  lock: "locked",
  accept: "accepted",
};

/** Whether undoing `change` would undo what another did: pixels, the same field, or the object's being there. */
export function isStale(change: Change, operation: ObjectOperation): boolean {
  if (change.kind === "status" || change.object !== operation.object) return false;
  if (operation.kind === "lock" && operation.data.locked) return true;
  if (change.kind === "mask") return operation.kind === "mask" || operation.kind === "create";
  return change.field === "deleted" || FIELDS[operation.kind] === change.field;
}
