import type { LogDocument, ObjectState, Operation, Stored } from "../types";

/** The workspace and annotator that a request expects; the server answers 412 where either differs. */
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
