import type { LogDocument, ObjectState, Operation, Stored } from "../types";

/** For whom and where a request is meant: the server refuses it with 412 where it would be stored under anything else. */
export interface ExpectedSession {
  workspace: string;
  annotator: string;
}

/** The requests that bring operations to the server and back. */
export interface Transport {
  append(id: number, revision: number, operations: readonly Operation[], expected?: ExpectedSession): Promise<Stored>;
  operationsSince(id: number, since: number, expected?: ExpectedSession): Promise<LogDocument>;
}

/** What shows a case: it applies operations that were made elsewhere and knows the current state of an object. */
export interface SyncTarget {
  apply(operations: readonly Operation[]): void;
  object(id: string): ObjectState | null;
  /** Replaces objects by the server's state, whatever was done to them here. */
  replace(objects: readonly ObjectState[]): void;
}
