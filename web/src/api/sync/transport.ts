import type { LogDocument, ObjectState, Operation, Stored } from "../types";

/** The way of operations to the server and back. */
export interface Transport {
  append(id: number, revision: number, operations: readonly Operation[]): Promise<Stored>;
  operationsSince(id: number, since: number): Promise<LogDocument>;
}

/** What shows a case: it takes operations that were not made in it, and tells what an object looks like now. */
export interface SyncTarget {
  apply(operations: readonly Operation[]): void;
  object(id: string): ObjectState | null;
  /** Shows objects as the server holds them, whatever was done to them here. */
  replace(objects: readonly ObjectState[]): void;
}
