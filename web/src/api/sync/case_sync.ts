import { newId } from "../../engine/new_id";
import { ApiError, errorMessage, RevisionConflict } from "../errors";
import type { ConflictReply, ObjectState, Operation } from "../types";
import { firstBatch } from "./batch";
import { bringingBack, type Choice, type Conflict, clashing, restoring, underNewObject, withdrawn } from "./conflict";
import type { OperationQueue, Queued } from "./operation_queue";
import type { SyncTarget, Transport } from "./transport";

/** Damaged: the server cannot take work on some objects, because its database is damaged there; the rest is sent. */
export type SyncState = "saved" | "saving" | "offline" | "full" | "damaged" | "conflict";

export interface SyncOptions {
  /** Milliseconds without a new operation before sending. */
  debounce: number;
  /** Milliseconds after which the oldest operation is sent, even while new ones arrive. */
  latest: number;
  /** Milliseconds of the first wait after a failure; doubled up to `longestRetry`. */
  retry: number;
  longestRetry: number;
  batch: number;
  bodyBytes: number;
}

export const SYNC_DEFAULTS: SyncOptions = {
  debounce: 250,
  latest: 1500,
  retry: 1000,
  longestRetry: 15000,
  batch: 200,
  bodyBytes: 16 * 1024 * 1024,
};

/** Brings the operations of one case to the server, in order, each exactly once, and finds conflicts with the work of others. */
export class CaseSync {
  state: SyncState = "saved";
  detail: string | null = null;
  conflicts: Conflict[] = [];
  readonly pending: Operation[] = [];
  private target: SyncTarget | null = null;
  /** Work of others arrived while no page showed the case. */
  private missed = false;
  private readonly own = new Set<string>();
  /** Objects that are damaged on the server; work on them stays here, and is sent when the server has them again. */
  private readonly held = new Set<string>();
  private heldUntil = 0;
  private heldDetail: string | null = null;
  private sending: Promise<void> | null = null;
  private flushRequested = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private oldest = 0;
  private failures = 0;
  private batchLimit: number;

  constructor(
    readonly id: number,
    readonly key: string,
    public revision: number,
    private readonly queue: OperationQueue,
    private readonly transport: Transport,
    private readonly options: SyncOptions,
    private readonly changed: () => void,
    private readonly refused: (operation: Operation, reason: string) => void,
  ) {
    this.batchLimit = options.batch;
  }

  get attached(): boolean {
    return this.target !== null;
  }

  enqueue(operations: readonly Operation[]): void {
    if (operations.length === 0) return;
    if (this.pending.length === 0) this.oldest = Date.now();
    this.remember(operations);
    this.queue.add(this.key, this.revision, operations).catch(() => {
      this.detail = "The browser cannot store the work on this disk; it goes to the server only.";
      this.settle("full");
    });
    if (this.state === "saved") this.settle("saving");
    else this.changed();
    if (this.state === "saving" || this.state === "damaged")
      this.schedule(Math.min(this.options.debounce, this.oldest + this.options.latest - Date.now()));
  }

  /** Takes over the unsent operations of an earlier page. */
  restore({ base, operations }: Queued): void {
    const news = operations.filter((operation) => !this.own.has(operation.id));
    if (news.length === 0) return;
    this.revision = this.pending.length === 0 ? base : Math.min(base, this.revision);
    this.remember(news);
    this.oldest = Date.now();
    this.settle("saving");
  }

  /** Attaches a page that has just loaded the case as of `revision`, and applies the unsent operations to it. */
  async attach(target: SyncTarget, revision: number, objects: readonly ObjectState[]): Promise<void> {
    await this.sending;
    const base = this.revision;
    this.target = target;
    this.missed = false;
    this.conflicts = [];
    if (base > revision) target.apply((await this.transport.operationsSince(this.id, revision)).operations);
    if (this.pending.length === 0) {
      this.revision = Math.max(base, revision);
      return;
    }
    const news =
      revision > base ? await this.transport.operationsSince(this.id, base) : { revision: base, operations: [] };
    this.acknowledge(this.pending.filter((operation) => news.operations.some((known) => known.id === operation.id)));
    target.apply(this.pending);
    if (!this.merge({ ...news, objects: [...objects] }, true)) return;
    this.settle("saving");
    this.schedule(0);
  }

  detach(): void {
    this.target = null;
    void this.flush();
  }

  /** Attaches a page again that showed the case before; false where its state is out of date. */
  rejoin(target: SyncTarget): boolean {
    if (this.missed || this.state === "conflict") return false;
    this.target = target;
    return true;
  }

  /** Sends everything now; resolves when all of it is stored or cannot be for the moment. */
  flush(): Promise<void> {
    this.unschedule();
    this.flushRequested = true;
    this.sending ??= this.run();
    return this.sending;
  }

  /** Fetches what others did since; does nothing while own operations are pending. */
  async pull(): Promise<void> {
    if (!this.target || this.pending.length > 0 || this.sending) return;
    const news = await this.transport.operationsSince(this.id, this.revision);
    if (this.pending.length > 0 || this.sending || news.revision <= this.revision) return;
    this.target.apply(news.operations.filter((operation) => !this.own.has(operation.id)));
    this.revision = news.revision;
  }

  /** Resolves a conflict. Returns the id of the object that holds this page's version afterwards; null where none does. */
  resolve(object: string, choice: Choice): string | null {
    const conflict = this.conflicts.find((one) => one.object === object);
    if (!conflict) return null;
    const mine = this.target?.object(object) ?? conflict.mine;
    const work = this.pending.filter((operation) => operation.object === object);
    let holder: string | null = null;
    if (choice === "mine") {
      if (mine) this.replacePending([], restoring(conflict.theirs, mine, work));
      holder = object;
    } else {
      this.showTheirs(object, conflict.theirs, mine);
      const copy = choice === "both" && mine ? underNewObject(mine, work) : null;
      if (copy) this.target?.apply(copy.operations);
      this.replacePending(work, copy?.operations ?? []);
      holder = copy?.object ?? null;
    }
    this.closeConflict(conflict);
    return holder;
  }

  private closeConflict(conflict: Conflict): void {
    this.conflicts = this.conflicts.filter((one) => one !== conflict);
    if (this.conflicts.length > 0) return this.changed();
    this.settle(this.pending.length > 0 ? "saving" : "saved");
    void this.flush();
  }

  private showTheirs(object: string, theirs: ObjectState | null, mine: ObjectState | null): void {
    if (theirs) this.target?.replace([theirs]);
    else if (mine)
      this.target?.apply([{ id: newId(), kind: "delete", object, time: Date.now(), data: { deleted: true } }]);
  }

  private replacePending(out: readonly Operation[], into: readonly Operation[]): void {
    const gone = new Set(out.map((operation) => operation.id));
    const kept = this.pending.filter((operation) => !gone.has(operation.id));
    this.pending.splice(0, this.pending.length, ...kept);
    this.remember(into);
    void this.queue.replace(this.key, this.revision, [...gone], into).catch(() => undefined);
  }

  /** Sends until nothing is left; a flush requested while a request ends is not lost. */
  private async run(): Promise<void> {
    try {
      while (this.flushRequested) {
        this.flushRequested = false;
        await this.drain();
      }
    } catch (error) {
      this.retryLater("offline", error);
    } finally {
      this.sending = null;
    }
  }

  private async drain(): Promise<void> {
    if (Date.now() >= this.heldUntil) this.held.clear();
    for (;;) {
      const sendable = this.pending.filter((operation) => !this.isHeld(operation));
      if (sendable.length === 0 || this.conflicts.length > 0) break;
      const batch = firstBatch(sendable, this.batchLimit, this.options.bodyBytes);
      this.settle(this.state === "saved" ? "saving" : this.state);
      try {
        const { revision, stored } = await this.transport.append(this.id, this.revision, batch);
        // Where the server knew a part of the batch already, there may be work of others after it.
        if (stored !== batch.length || revision !== this.revision + stored) await this.catchUp(revision);
        this.revision = revision;
        this.batchLimit = this.options.batch;
        this.acknowledge(batch);
      } catch (error) {
        if (!(await this.handleFailure(error, batch))) return;
      }
      this.failures = 0;
    }
    if (this.pending.length === 0) return this.settle("saved");
    if (this.conflicts.length > 0) return;
    this.detail = this.heldDetail;
    this.settle("damaged");
    this.schedule(this.heldUntil - Date.now());
  }

  private isHeld(operation: Operation): boolean {
    const parent = operation.kind === "create" || operation.kind === "parent" ? operation.data.parent : null;
    return [operation.object, parent].some((id) => id !== null && this.held.has(id));
  }

  private async catchUp(revision: number): Promise<void> {
    if (revision <= this.revision) return;
    const news = await this.transport.operationsSince(this.id, this.revision);
    this.show(news.operations.filter((operation) => !this.own.has(operation.id)));
  }

  private show(operations: readonly Operation[]): void {
    if (operations.length === 0) return;
    if (this.target) this.target.apply(operations);
    else this.missed = true;
  }

  /** Handles a failed request. Returns whether sending goes on at once. */
  private async handleFailure(error: unknown, batch: readonly Operation[]): Promise<boolean> {
    if (error instanceof RevisionConflict) return this.merge(error.reply, false);
    if (error instanceof ApiError && (error.status === 413 || error.status === 422 || error.status === 400)) {
      const [first, ...others] = batch;
      if (others.length > 0) this.batchLimit = Math.ceil(batch.length / 2);
      else if (first !== undefined) await this.setAside(first, error.detail);
      return true;
    }
    if (error instanceof ApiError && this.hold(error)) return true;
    this.retryLater(error instanceof ApiError && error.status === 507 ? "full" : "offline", error);
    return false;
  }

  /** Keeps back the work on damaged objects. Whether that is news: then the rest is sent. */
  private hold(error: ApiError): boolean {
    const news = error.damaged.filter((id) => !this.held.has(id));
    if (news.length === 0) return false;
    for (const id of news) this.held.add(id);
    this.heldUntil = Date.now() + this.options.longestRetry;
    this.heldDetail = error.detail;
    return true;
  }

  private retryLater(state: SyncState, error: unknown): void {
    this.detail = errorMessage(error);
    this.settle(state);
    this.schedule(Math.min(this.options.retry * 2 ** this.failures++, this.options.longestRetry));
  }

  private async setAside(operation: Operation, reason: string): Promise<void> {
    this.drop([operation]);
    await this.queue.refuse(this.key, this.revision, operation, reason).catch(() => undefined);
    this.refused(operation, reason);
  }

  /** Applies what others did. False where an object was changed on both sides: then the user decides. */
  private merge(reply: ConflictReply, shown: boolean): boolean {
    this.acknowledge(this.pending.filter((operation) => reply.operations.some((known) => known.id === operation.id)));
    const others = reply.operations.filter((operation) => !this.own.has(operation.id));
    const clashes = clashing(this.pending, others);
    // A person's work always wins over the model that takes its proposal back; nobody is asked.
    const kept = withdrawn(clashes, others);
    for (const object of kept) clashes.delete(object);
    if (clashes.size > 0 && !this.target) {
      // No page shows this case: its base revision stays, so that the conflict is found again when it is opened.
      this.detail = "Changed here and elsewhere; open the case to decide.";
      this.settle("conflict");
      return false;
    }
    const held = new Set([...clashes, ...kept]);
    if (!shown) this.show(others.filter((operation) => operation.object === null || !held.has(operation.object)));
    this.revision = reply.revision;
    const back = kept.flatMap((object) => bringingBack(object, this.pending));
    this.target?.apply(back);
    this.replacePending([], back);
    if (clashes.size === 0) return true;
    this.conflicts = [...clashes].map((object) => ({
      object,
      theirs: reply.objects.find((state) => state.id === object) ?? null,
      mine: this.target?.object(object) ?? null,
    }));
    this.settle("conflict");
    return false;
  }

  private remember(operations: readonly Operation[]): void {
    for (const operation of operations) this.own.add(operation.id);
    this.pending.push(...operations);
  }

  private acknowledge(operations: readonly Operation[]): void {
    if (operations.length === 0) return;
    this.drop(operations);
    const ids = operations.map((operation) => operation.id);
    void this.queue.replace(this.key, this.revision, ids, []).catch(() => undefined);
  }

  private drop(operations: readonly Operation[]): void {
    const gone = new Set(operations.map((operation) => operation.id));
    const kept = this.pending.filter((operation) => !gone.has(operation.id));
    this.pending.splice(0, this.pending.length, ...kept);
    this.oldest = Date.now();
    this.changed();
  }

  private settle(state: SyncState): void {
    if (state === "saved" || state === "saving") this.detail = null;
    this.state = state;
    this.changed();
  }

  private schedule(wait: number): void {
    this.unschedule();
    this.timer = setTimeout(() => void this.flush(), Math.max(0, wait));
  }

  private unschedule(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
