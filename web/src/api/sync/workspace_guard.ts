import { ApiError } from "../errors";
import type { Transport } from "./transport";

/** Another workspace answers at this page's address, as after a restart of the server on another folder. */
export class OtherWorkspaceError extends Error {
  constructor() {
    super("Another workspace answers at this address. The work stays in this browser until its own is back.");
    this.name = "OtherWorkspaceError";
  }
}

/** Another annotator has signed in in this browser: work must not be stored under another name. */
export class OtherAnnotatorError extends Error {
  constructor(wanted: string, found: string) {
    super(`${found} is signed in in this browser now. The work stays in it until ${wanted} signs in again.`);
    this.name = "OtherAnnotatorError";
  }
}

export interface WorkspaceServer extends Transport {
  session(): Promise<{ workspace: string; annotator: string }>;
}

const PRECONDITION_FAILED = 412;

/**
 * The requests of one annotator to one workspace. In another workspace the same case id is another image, and the server stores work
 * under whoever is signed in. So each request says what it expects, and after a refusal the session says what differs.
 */
export function guardedTransport(workspace: string, annotator: string, server: WorkspaceServer): Transport {
  const expected = { workspace, annotator };
  const guarded = async <T>(request: Promise<T>): Promise<T> => {
    try {
      return await request;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== PRECONDITION_FAILED) throw error;
      const session = await server.session();
      if (session.workspace !== workspace) throw new OtherWorkspaceError();
      if (session.annotator !== annotator) throw new OtherAnnotatorError(annotator, session.annotator);
      throw error;
    }
  };
  return {
    append: (id, revision, operations) => guarded(server.append(id, revision, operations, expected)),
    operationsSince: (id, since) => guarded(server.operationsSince(id, since, expected)),
  };
}
