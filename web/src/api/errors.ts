import type { ConflictReply, Problem } from "./types";

/** The server answered, but not with success. `detail` is its one line for the user. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    /** The parameter without which the request cannot be done. */
    readonly asks: Problem["asks"] = null,
    /** Ids of objects that are damaged in the database; requests on other objects are answered. */
    readonly damaged: readonly string[] = [],
  ) {
    super(detail);
    this.name = "ApiError";
  }
}

/** The server could not be reached at all. */
export class OfflineError extends Error {
  constructor(message = "The server cannot be reached.") {
    super(message);
    this.name = "OfflineError";
  }
}

/** The case has operations that this page has not seen (409); `reply` holds them. */
export class RevisionConflict extends Error {
  constructor(readonly reply: ConflictReply) {
    super("The case was changed elsewhere.");
    this.name = "RevisionConflict";
  }
}

/** One line for the user about whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
