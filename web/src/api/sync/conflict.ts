import { fold } from "../../engine/editing/fold";
import { newId } from "../../engine/new_id";
import type { MaskTool } from "../../engine/operations";
import type { ObjectState, Operation } from "../types";
import { operationsBetween } from "./operations_between";

export type Choice = "theirs" | "mine" | "both";

/** One object that was changed here and elsewhere since the page last saw the server's state. */
export interface Conflict {
  object: string;
  theirs: ObjectState | null;
  mine: ObjectState | null;
}

/** The objects that both unsent operations and operations of others change. */
export function clashing(unsent: readonly Operation[], others: readonly Operation[]): Set<string> {
  const touched = new Set(others.map((operation) => operation.object));
  const both = unsent.map((operation) => operation.object).filter((object) => object !== null && touched.has(object));
  return new Set(both as string[]);
}

/** The operations that restore `mine` after `work` was applied to the version of the others. */
export function restoring(theirs: ObjectState | null, mine: ObjectState, work: readonly Operation[]): Operation[] {
  return operationsBetween(work.reduce(fold, theirs), mine, lastTool(work));
}

/** The same operations for a new object, so that the log keeps its history. */
export function underNewObject(
  mine: ObjectState,
  work: readonly Operation[],
): { object: string; operations: Operation[] } {
  const object = newId();
  const ids = new Map(work.map((operation) => [operation.id, newId()]));
  const { category, parent, source } = mine;
  const create: Operation = {
    id: newId(),
    kind: "create",
    object,
    time: Date.now(),
    data: { category, parent, source },
  };
  const moved = work
    .filter((operation) => operation.kind !== "create")
    .map((operation): Operation => {
      const { undoes, ...rest } = operation;
      const undone = undoes ? ids.get(undoes) : undefined;
      return {
        ...rest,
        id: ids.get(operation.id) ?? newId(),
        object,
        ...(undone ? { undoes: undone } : {}),
      } as Operation;
    });
  const folded = [create, ...moved].reduce(fold, null);
  const rest = operationsBetween(folded, { ...mine, id: object, deleted: false }, lastTool(work));
  return { object, operations: [create, ...moved, ...rest] };
}

function lastTool(operations: readonly Operation[]): MaskTool {
  for (const operation of [...operations].reverse()) if (operation.kind === "mask") return operation.data.tool;
  return "brush";
}
