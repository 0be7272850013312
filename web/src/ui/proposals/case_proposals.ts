import * as client from "../../api/client";
import { errorMessage } from "../../api/errors";
import { ProposalWatch } from "../../api/proposal_watch";
import type { Session } from "../../api/types";
import type { Operation } from "../../engine/operations";
import type { KeptCase } from "../state/case_cache";
import type { WorkbenchState } from "../state/workbench_state";
import { NumberOffers } from "./number_offers";

interface ProposalHooks {
  /** Fetches what others, the model among them, did in the open case. */
  pull(): Promise<void>;
  changed(change: Partial<Pick<WorkbenchState, "proposals" | "offers">>): void;
  failed(message: string): void;
}

/** What the model does by itself for the open case: its proposals, and numbers for objects without a label. */
export class CaseProposals {
  private open: KeptCase | null = null;
  private offers: NumberOffers | null = null;
  /** Resolves when the server knows which case is open. */
  private announced: Promise<void> = Promise.resolve();
  private readonly watch: ProposalWatch;

  constructor(
    private readonly session: Session,
    private readonly hooks: ProposalHooks,
  ) {
    this.watch = new ProposalWatch({ progress: client.progress, pull: () => hooks.pull() }, () => this.waited());
  }

  /** Tells the server which case is about to be opened. */
  announce(id: number): void {
    this.announced = client.announce(id).catch(() => undefined);
  }

  show(open: KeptCase): void {
    this.open = open;
    const { id } = open.document.case;
    const offer = (offers: WorkbenchState["offers"]) => this.hooks.changed({ offers });
    this.offers = this.session.numbers ? new NumberOffers(id, open.editor, offer) : null;
    this.hooks.changed({ proposals: open.document.proposals, offers: new Map() });
    this.offers?.askForAll();
    if (open.document.proposals === "pending") this.wait(open);
  }

  leave(): void {
    this.open = null;
    this.watch.stop();
    this.offers?.cancelAll();
    this.offers = null;
  }

  /** To be called with every operation made in the editor. */
  noteEdits(operations: readonly Operation[]): void {
    this.offers?.noteEdits(operations);
  }

  /** Turns the model's proposals for this workspace on or off; those that are there stay. */
  async turn(on: boolean): Promise<void> {
    const { open } = this;
    try {
      await client.switchProposals(on);
      this.session.proposals = on;
      if (!open) return;
      const { document } = await client.readCase(open.document.case.id);
      if (this.open !== open) return;
      this.note(open, document.proposals);
      if (document.proposals === "pending") this.wait(open);
    } catch (error) {
      this.hooks.failed(`The proposals were not switched: ${errorMessage(error)}`);
    }
  }

  private wait(open: KeptCase): void {
    void this.announced.then(async () => {
      if (this.open === open) await this.watch.start(open.document.case.id);
    });
  }

  private waited(): void {
    const { open } = this;
    if (!open) return;
    const found = open.editor.objects.some(({ source }) => source === "proposal");
    this.note(open, found ? "there" : "none");
  }

  private note(open: KeptCase, proposals: WorkbenchState["proposals"]): void {
    open.document = { ...open.document, proposals };
    this.hooks.changed({ proposals });
  }
}
