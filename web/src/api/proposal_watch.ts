export interface ProposalServer {
  /** `proposing`: the opened cases whose proposals are still being made. */
  progress(): Promise<{ proposing: readonly number[] }>;
  /** Fetches what others, the model among them, did in the open case. */
  pull(): Promise<void>;
}

const PAUSE_MS = 500;

/**
 * Brings the proposals of the open case into the page as soon as they are made. To be started once the server knows
 * that the case is open; `over` is called at the end of the wait: the case then has its proposals, or gets none.
 */
export class ProposalWatch {
  private turn = 0;

  constructor(
    private readonly server: ProposalServer,
    private readonly over: () => void,
    private readonly pause = PAUSE_MS,
  ) {}

  /** Waits for the proposals of a case; a wait for another one ends. Resolves at the end of the wait. */
  async start(id: number): Promise<void> {
    const turn = ++this.turn;
    while (turn === this.turn) {
      const waits = await this.server.progress().then(
        ({ proposing }) => proposing.includes(id),
        // The server may be back in a moment.
        () => true,
      );
      if (turn !== this.turn) return;
      if (!waits) {
        await this.server.pull().catch(() => undefined);
        if (turn === this.turn) this.over();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, this.pause));
    }
  }

  /** The case is left. */
  stop(): void {
    this.turn++;
  }
}
