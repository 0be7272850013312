import { BoxMask } from "../engine/mask";
import { newId } from "../engine/identity";
import type { MaskTool } from "../engine/types";
import type { ObjectState, Operation } from "./types";

function blank(id: string): ObjectState {
  return {
    id,
    category: null,
    parent: null,
    locked: false,
    accepted: false,
    deleted: false,
    source: "manual",
    score: null,
    model: null,
    prompts: null,
    mask: null,
    painted: null,
    erased: null,
    area: 0,
    revision: 0,
    annotator: "",
  };
}

/** The object after one more operation of its log, as the server folds it. */
export function fold(state: ObjectState | null, operation: Operation): ObjectState | null {
  if (operation.object === null) return state;
  const next = { ...(state ?? blank(operation.object)) };
  switch (operation.kind) {
    case "create":
      if (operation.mask) next.mask = operation.mask;
      next.category = operation.data.category;
      next.parent = operation.data.parent;
      next.source = operation.data.source;
      break;
    case "mask":
      next.mask = operation.mask;
      if (operation.painted) next.painted = operation.painted;
      if (operation.erased) next.erased = operation.erased;
      // Absent: as they were; null: taken away, as an undo does.
      if (operation.data.prompts !== undefined) next.prompts = operation.data.prompts;
      if (operation.data.model !== undefined) {
        next.model = operation.data.model;
        next.score = operation.data.model?.score ?? null;
      }
      break;
    case "relabel":
      next.category = operation.data.category;
      break;
    case "parent":
      next.parent = operation.data.parent;
      break;
    case "lock":
      next.locked = operation.data.locked;
      break;
    case "accept":
      next.accepted = operation.data.accepted;
      break;
    case "delete":
      next.deleted = operation.data.deleted;
      break;
  }
  return next;
}

/** Equal pixels, whatever box each keeps around them; no mask is an empty one. */
export function sameMask(a: BoxMask | null | undefined, b: BoxMask | null | undefined): boolean {
  return (a ?? BoxMask.empty()).equals(b ?? BoxMask.empty());
}

/** The operations that turn `from` (null: no such object yet) into `to`. `tool` names the hand behind a changed mask. */
export function difference(from: ObjectState | null, to: ObjectState, tool: MaskTool = "brush", time = Date.now()): Operation[] {
  const operations: Operation[] = [];
  const empty = BoxMask.empty();
  const base = { object: to.id, time };
  const start = from ?? { ...blank(to.id), category: to.category, parent: to.parent };
  if (!from) {
    operations.push({
      ...base,
      id: newId(),
      kind: "create",
      data: { category: to.category, parent: to.parent, source: to.source },
    });
  }
  const painted = sameMask(start.painted, to.painted) ? {} : { painted: to.painted ?? empty };
  const erased = sameMask(start.erased, to.erased) ? {} : { erased: to.erased ?? empty };
  if (!sameMask(start.mask, to.mask) || "painted" in painted || "erased" in erased) {
    const prompts = to.prompts ? { prompts: to.prompts } : {};
    const model = to.model && to.score !== null ? { model: { ...to.model, score: to.score } } : {};
    const data = { tool, ...prompts, ...model };
    operations.push({ ...base, id: newId(), kind: "mask", data, mask: to.mask ?? empty, ...painted, ...erased });
  }
  if (start.category !== to.category) operations.push({ ...base, id: newId(), kind: "relabel", data: { category: to.category } });
  if (start.parent !== to.parent) operations.push({ ...base, id: newId(), kind: "parent", data: { parent: to.parent } });
  if (start.accepted !== to.accepted) operations.push({ ...base, id: newId(), kind: "accept", data: { accepted: to.accepted } });
  if (start.locked !== to.locked) operations.push({ ...base, id: newId(), kind: "lock", data: { locked: to.locked } });
  if (start.deleted !== to.deleted) operations.push({ ...base, id: newId(), kind: "delete", data: { deleted: to.deleted } });
  return operations;
}
