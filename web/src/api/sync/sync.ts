import type { ObjectState, Operation } from "../types";
import { CaseSync, SYNC_DEFAULTS, type SyncOptions, type SyncState } from "./case_sync";
import type { Choice, Conflict } from "./conflict";
import { OperationQueue } from "./operation_queue";
import type { SyncTarget, Transport } from "./transport";
import { guardedTransport, type WorkspaceServer } from "./workspace_guard";

export type { Choice, Conflict, SyncState, SyncTarget, Transport };

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
const GRAVEST: readonly SyncState[] = ["conflict", "full", "offline", "saving", "saved"];

/** The name under which the queue of one annotator in one workspace, by its id, lives in the browser. */
export function queueName(workspace: string, annotator: string): string {
  return `dentasam/${workspace}/${annotator}`;
}

// Ids alone would send old work to another image after the database was made anew.
function laneKey({ id, name }: CaseName): string {
  return `${id}/${name}`;
}

/** Brings every operation to the server; the lanes of cases that were left go on until they are empty. */
export class Sync {
  onRefused: (operation: Operation, reason: string) => void = () => undefined;
  private readonly lanes = new Map<string, CaseSync>();
  private readonly listeners = new Set<() => void>();
  private open: CaseSync | null = null;
  private current: SyncStatus = { state: "saved", pending: 0, detail: null, conflicts: [] };

  constructor(
    private readonly queue: OperationQueue,
    private readonly transport: Transport,
    private readonly options: SyncOptions = SYNC_DEFAULTS,
  ) {}

  /** What earlier pages left behind for any case goes out in the background. */
  async resume(): Promise<void> {
    await this.queue.adopt();
    for (const key of await this.queue.lanes()) {
      const slash = key.indexOf("/");
      const lane = this.lane({ id: Number(key.slice(0, slash)), name: key.slice(slash + 1) }, 0);
      // Under an open page the old work waits: only an opening looks for clashes with what came since.
      if (lane.attached) continue;
      lane.restore(await this.queue.pending(key));
      void lane.flush();
    }
  }

  /** Settles when all work so far is on this computer's disk. */
  written(): Promise<void> {
    return this.queue.written();
  }

  /** To be called before the state of a case is read, so that what is under way is in it where possible. */
  async settle(name: CaseName, longest = 1500): Promise<void> {
    await this.resume();
    const lane = this.lanes.get(laneKey(name));
    if (!lane || lane.pending.length === 0) return;
    await Promise.race([lane.flush(), new Promise((resolve) => setTimeout(resolve, longest))]);
  }

  /** The revision this page knows of a case: a state read earlier than that is stale. */
  knownRevision(name: CaseName): number {
    return this.lanes.get(laneKey(name))?.revision ?? 0;
  }

  async attach(name: CaseName, revision: number, objects: readonly ObjectState[], target: SyncTarget): Promise<void> {
    this.detach();
    const lane = this.lane(name, revision);
    this.open = lane;
    await lane.attach(target, revision, objects);
    this.tell();
  }

  /** Goes on with a case that this page showed before; false where it has to be read anew. */
  rejoin(name: CaseName, target: SyncTarget): boolean {
    const lane = this.lanes.get(laneKey(name));
    if (!lane) return false;
    this.detach();
    if (!lane.rejoin(target)) return false;
    this.open = lane;
    this.tell();
    void this.pull();
    return true;
  }

  detach(): void {
    this.open?.detach();
    this.open = null;
    this.tell();
  }

  /** Operations of the open case. */
  enqueue(operations: readonly Operation[]): void {
    if (!this.open) throw new Error("No case is open.");
    this.open.enqueue(operations);
  }

  async flush(): Promise<void> {
    await Promise.all([...this.lanes.values()].map((lane) => lane.flush()));
  }

  /** Whether the open case got news; failures are left to the next time. */
  async pull(): Promise<void> {
    await this.open?.pull().catch(() => undefined);
  }

  /** The id of the object that holds this page's version from here on; null where none does. */
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

  /** Sends on return of the network and before the page goes away; warns only of work that the server does not have. */
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

  private lane(name: CaseName, revision: number): CaseSync {
    const key = laneKey(name);
    let lane = this.lanes.get(key);
    if (!lane) {
      lane = new CaseSync(
        name.id,
        key,
        revision,
        this.queue,
        this.transport,
        this.options,
        this.tell,
        (operation, reason) => this.onRefused(operation, reason),
      );
      this.lanes.set(key, lane);
    }
    return lane;
  }

  private readonly tell = (): void => {
    const lanes = [...this.lanes.values()];
    const state = GRAVEST.find((grave) => lanes.some((lane) => lane.state === grave)) ?? "saved";
    const pending = lanes.reduce((sum, lane) => sum + lane.pending.length, 0);
    const detail = lanes.find((lane) => lane.state === state)?.detail ?? null;
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
