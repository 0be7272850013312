import type { Transport } from "./transport";

/** Another workspace answers where this page's own did, as after a restart of the server on another folder. */
export class ForeignWorkspace extends Error {
  constructor() {
    super("Another workspace answers at this address. The work stays in this browser until its own is back.");
    this.name = "ForeignWorkspace";
  }
}

export interface WorkspaceServer extends Transport {
  session(): Promise<{ workspace: string }>;
}

/** The way to one workspace: case ids mean other images in another, so who answers is asked before each use of them. */
export function within(workspace: string, server: WorkspaceServer): Transport {
  const confirm = async () => {
    if ((await server.session()).workspace !== workspace) throw new ForeignWorkspace();
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
