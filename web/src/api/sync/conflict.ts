import { fold } from "../../engine/editing/fold";
import { isWithdrawal } from "../../engine/editing/proposals";
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

/** The objects of which others did nothing but that the model withdrew them as proposals. */
export function withdrawn(objects: Iterable<string>, others: readonly Operation[]): string[] {
  return [...objects].filter((object) =>
    others.every((operation) => operation.object !== object || isWithdrawal(operation)),
  );
}

/** Brings back what the model withdrew while a person worked on it, unless the person deleted it too. */
export function bringingBack(object: string, work: readonly Operation[]): Operation[] {
  const own = work.filter((operation) => operation.object === object && operation.kind === "delete").at(-1);
  if (own?.kind === "delete" && own.data.deleted) return [];
  return [{ id: newId(), kind: "delete", object, time: Date.now(), data: { deleted: false } }];
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
  const { category, parent } = mine;
  // Only the server makes proposals.
  const source = mine.source === "proposal" ? "model" : mine.source;
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
