import type { Transport } from "./transport";

/** Another workspace answers where this page's own did, as after a restart of the server on another folder. */
export class ForeignWorkspace extends Error {
  constructor() {
    super("Another workspace answers at this address. The work stays in this browser until its own is back.");
    this.name = "ForeignWorkspace";
  }
}

/** Another annotator signed in in this browser: work must not go out under a name that did not do it. */
export class OtherAnnotator extends Error {
  constructor(wanted: string, found: string) {
    super(`${found} is signed in in this browser now. The work stays in it until ${wanted} signs in again.`);
    this.name = "OtherAnnotator";
  }
}

export interface WorkspaceServer extends Transport {
  session(): Promise<{ workspace: string; annotator: string }>;
}

/** The way to one workspace under one name: case ids mean other images in another, so who answers is asked before each use of them. */
export function guardedTransport(workspace: string, annotator: string, server: WorkspaceServer): Transport {
  const confirm = async () => {
    const session = await server.session();
    if (session.workspace !== workspace) throw new ForeignWorkspace();
    if (session.annotator !== annotator) throw new OtherAnnotator(annotator, session.annotator);
  };
  return {
    async append(...given) {
      await confirm();
      return server.append(...given);
    },
    async operationsSince(...given) {
      await confirm();
      return server.operationsSince(...given);
    },
  };
}
