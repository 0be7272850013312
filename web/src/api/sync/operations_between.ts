import { blankState } from "../../engine/editing/fold";
import { BoxMask } from "../../engine/masks/mask";
import { newId } from "../../engine/new_id";
import type { MaskTool } from "../../engine/operations";
import type { ObjectState, Operation } from "../types";

/** Whether both have the same pixels, whatever their boxes; a missing mask is an empty one. */
export function sameMask(a: BoxMask | null | undefined, b: BoxMask | null | undefined): boolean {
  return (a ?? BoxMask.empty()).equals(b ?? BoxMask.empty());
}

/** The operations that turn `from` (null: no such object yet) into `to`. `tool` is recorded for a changed mask. */
export function operationsBetween(
  from: ObjectState | null,
  to: ObjectState,
  tool: MaskTool = "brush",
  time = Date.now(),
): Operation[] {
  const operations: Operation[] = [];
  const empty = BoxMask.empty();
  const base = { object: to.id, time };
  const start = from ?? { ...blankState(to.id), category: to.category, parent: to.parent };
  if (!from) {
    operations.push({
      ...base,
      id: newId(),
      kind: "create",
      // Only the server makes proposals.
      data: { category: to.category, parent: to.parent, source: to.source === "proposal" ? "model" : to.source },
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
  if (start.category !== to.category)
    operations.push({ ...base, id: newId(), kind: "relabel", data: { category: to.category } });
  if (start.parent !== to.parent)
    operations.push({ ...base, id: newId(), kind: "parent", data: { parent: to.parent } });
  if (start.accepted !== to.accepted)
    operations.push({ ...base, id: newId(), kind: "accept", data: { accepted: to.accepted } });
  if (start.locked !== to.locked)
    operations.push({ ...base, id: newId(), kind: "lock", data: { locked: to.locked } });
  if (start.deleted !== to.deleted)
    operations.push({ ...base, id: newId(), kind: "delete", data: { deleted: to.deleted } });
  return operations;
}
