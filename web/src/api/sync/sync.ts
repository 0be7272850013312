import type { ObjectState, Operation } from "../types";
import { CaseSync, SYNC_DEFAULTS, type SyncOptions, type SyncState } from "./case_sync";
import type { Choice, Conflict } from "./conflict";
import { OperationQueue } from "./operation_queue";
import type { SyncTarget, Transport } from "./transport";
import { guardedTransport, type WorkspaceServer } from "./workspace_guard";

export type { Choice, Conflict, SyncState, SyncTarget };

export interface CaseName {
  id: number;
  name: string;
}

export interface SyncStatus {
  state: SyncState;
  /** Operations that the server has not acknowledged. */
  pending: number;
  detail: string | null;
  conflicts: readonly Conflict[];
}

const PULL_MS = 20_000;
const BY_SEVERITY: readonly SyncState[] = ["conflict", "full", "offline", "damaged", "saving", "saved"];

/** The name under which the queue of one annotator in one workspace, by its id, lives in the browser. */
export function queueName(workspace: string, annotator: string): string {
  return `dentasam/${workspace}/${annotator}`;
}

// With the id alone, old work could go to another image after the database was recreated.
function caseKey({ id, name }: CaseName): string {
  return `${id}/${name}`;
}

/** Brings every operation to the server. Cases that were left go on sending until nothing is pending. */
export class Sync {
  onRefused: (operation: Operation, reason: string) => void = () => undefined;
  private readonly caseSyncs = new Map<string, CaseSync>();
  private readonly listeners = new Set<() => void>();
  private open: CaseSync | null = null;
  private current: SyncStatus = { state: "saved", pending: 0, detail: null, conflicts: [] };

  constructor(
    private readonly queue: OperationQueue,
    private readonly transport: Transport,
    private readonly options: SyncOptions = SYNC_DEFAULTS,
  ) {}

  /** Sends what earlier pages left unsent, for any case, in the background. */
  async resume(): Promise<void> {
    await this.queue.adopt();
    for (const key of await this.queue.lanes()) {
      const slash = key.indexOf("/");
      const caseSync = this.caseSync({ id: Number(key.slice(0, slash)), name: key.slice(slash + 1) }, 0);
      // Old work on an open case waits: only opening a case checks for conflicts with later work.
      if (caseSync.attached) continue;
      caseSync.restore(await this.queue.pending(key));
      void caseSync.flush();
    }
  }

  /** Resolves when all work so far is on this computer's disk. */
  written(): Promise<void> {
    return this.queue.written();
  }

  /** To be called before a case is read, so that pending operations are in its state where possible. */
  async settle(name: CaseName, longest = 1500): Promise<void> {
    await this.resume();
    const caseSync = this.caseSyncs.get(caseKey(name));
    if (!caseSync || caseSync.pending.length === 0) return;
    await Promise.race([caseSync.flush(), new Promise((resolve) => setTimeout(resolve, longest))]);
  }

  /** The revision this page knows of a case: a state read earlier than that is stale. */
  knownRevision(name: CaseName): number {
    return this.caseSyncs.get(caseKey(name))?.revision ?? 0;
  }

  async attach(name: CaseName, revision: number, objects: readonly ObjectState[], target: SyncTarget): Promise<void> {
    this.detach();
    const caseSync = this.caseSync(name, revision);
    this.open = caseSync;
    await caseSync.attach(target, revision, objects);
    this.notify();
  }

  /** Goes on with a case that this page showed before; false where it has to be read again. */
  rejoin(name: CaseName, target: SyncTarget): boolean {
    const caseSync = this.caseSyncs.get(caseKey(name));
    if (!caseSync) return false;
    this.detach();
    if (!caseSync.rejoin(target)) return false;
    this.open = caseSync;
    this.notify();
    void this.pull();
    return true;
  }

  detach(): void {
    this.open?.detach();
    this.open = null;
    this.notify();
  }

  /** Takes operations of the open case. */
  enqueue(operations: readonly Operation[]): void {
    if (!this.open) throw new Error("No case is open.");
    this.open.enqueue(operations);
  }

  async flush(): Promise<void> {
    await Promise.all([...this.caseSyncs.values()].map((caseSync) => caseSync.flush()));
  }

  /** Fetches what others did in the open case; failures are left to the next time. */
  async pull(): Promise<void> {
    await this.open?.pull().catch(() => undefined);
  }

  /** Resolves a conflict. Returns the id of the object that holds this page's version afterwards; null where none does. */
  resolve(object: string, choice: Choice): string | null {
    return this.open?.resolve(object, choice) ?? null;
  }

  status(): SyncStatus {
    return this.current;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Sends when the network returns and before the page is left; warns only while there is work that cannot be sent. */
  watch(page: Window): () => void {
    const flush = () => void this.flush();
    const hidden = () => {
      if (page.document.visibilityState === "hidden") flush();
      else void this.pull();
    };
    const leaving = (event: BeforeUnloadEvent) => {
      const { state, pending } = this.current;
      if (pending > 0 && state !== "saving") event.preventDefault();
    };
    const timer = page.setInterval(() => page.document.visibilityState === "visible" && void this.pull(), PULL_MS);
    page.addEventListener("online", flush);
    page.addEventListener("pagehide", flush);
    page.addEventListener("beforeunload", leaving);
    page.document.addEventListener("visibilitychange", hidden);
    return () => {
      page.clearInterval(timer);
      page.removeEventListener("online", flush);
      page.removeEventListener("pagehide", flush);
      page.removeEventListener("beforeunload", leaving);
      page.document.removeEventListener("visibilitychange", hidden);
    };
  }

  private caseSync(name: CaseName, revision: number): CaseSync {
    const key = caseKey(name);
    let caseSync = this.caseSyncs.get(key);
    if (!caseSync) {
      caseSync = new CaseSync(
        name.id,
        key,
        revision,
        this.queue,
        this.transport,
        this.options,
        this.notify,
        (operation, reason) => this.onRefused(operation, reason),
      );
      this.caseSyncs.set(key, caseSync);
    }
    return caseSync;
  }

  private readonly notify = (): void => {
    const caseSyncs = [...this.caseSyncs.values()];
    const state = BY_SEVERITY.find((severe) => caseSyncs.some((caseSync) => caseSync.state === severe)) ?? "saved";
    const pending = caseSyncs.reduce((sum, caseSync) => sum + caseSync.pending.length, 0);
    const detail = caseSyncs.find((caseSync) => caseSync.state === state)?.detail ?? null;
    const conflicts = this.open?.conflicts ?? [];
    const { current } = this;
    const same =
      current.state === state &&
      current.pending === pending &&
      current.detail === detail &&
      current.conflicts === conflicts;
    if (same) return;
    this.current = { state, pending, detail, conflicts };
    for (const listener of this.listeners) listener();
  };
}

/** The sync of one annotator in one workspace, with whatever an earlier page left unsent. */
export async function openSync(workspace: string, annotator: string, server: WorkspaceServer): Promise<Sync> {
  const queue = await OperationQueue.open(queueName(workspace, annotator));
  const sync = new Sync(queue, guardedTransport(workspace, annotator, server));
  await sync.resume();
  return sync;
}
