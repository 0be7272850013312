import { type CaseFields, fold, foldCase } from "../../engine/editing/fold";
import { isWithdrawal } from "../../engine/editing/proposals";
import { BoxMask } from "../../engine/masks/mask";
import { ApiError, OfflineError, RevisionConflict } from "../errors";
import type { ObjectState, Operation } from "../types";
import type { ExpectedSession, SyncTarget, Transport } from "./transport";

/** A server in memory with the behaviour of the real one; `operations.contract.json` tests both. */
export class FakeServer implements Transport {
  readonly log: Operation[] = [];
  readonly received: { revision: number; ids: string[] }[] = [];
  /** How the next requests fail. */
  readonly failures: ("offline" | "lost-answer" | "full" | "busy")[] = [];
  malformed = new Set<string>();
  /** Objects that its database cannot give back. */
  readonly damaged = new Set<string>();

  constructor(private readonly only = { id: 7, width: 4096, height: 4096 }) {}

  async append(id: number, revision: number, operations: readonly Operation[], _expected?: ExpectedSession) {
    await Promise.resolve();
    const failure = this.failures.shift();
    if (failure === "offline") throw new OfflineError();
    if (failure === "full") throw new ApiError(507, "The disk is full.");
    if (failure === "busy") throw new ApiError(503, "The server is busy.");
    this.received.push({ revision, ids: operations.map((operation) => operation.id) });
    this.find(id);
    if (operations.some((operation) => this.malformed.has(operation.id))) throw new ApiError(422, "malformed");
    const sent = [...new Map(operations.map((operation) => [operation.id, operation])).values()];
    const revisions = new Map(this.log.map((operation, index) => [operation.id, index + 1]));
    const news = sent.filter((operation) => !revisions.has(operation.id));
    const missed = this.log.slice(revision);
    // Those stored since `revision` that the request repeats are the sender's own: the answer was lost.
    const own = new Set(sent.map((operation) => operation.id));
    const changed = new Set(changedOrNamed(missed.filter((operation) => !own.has(operation.id))));
    if (news.length > 0 && (revision > this.log.length || changedOrNamed(news).some((id) => changed.has(id)))) {
      const objects = new Set(missed.map((operation) => operation.object));
      throw new RevisionConflict({
        revision: this.log.length,
        operations: missed,
        objects: this.objects().filter((state) => objects.has(state.id)),
      });
    }
    for (const operation of news) {
      const proposes = operation.kind === "create" && operation.data.source === "proposal";
      if (proposes || isWithdrawal(operation)) throw new ApiError(422, "only the server makes proposals");
    }
    for (const operation of news) {
      const parent = operation.kind === "create" || operation.kind === "parent" ? operation.data.parent : null;
      const named = [operation.object, parent].find((id) => id !== null && this.damaged.has(id));
      if (named) throw new ApiError(503, `object ${named} is damaged`, null, [named]);
    }
    this.check(news);
    this.log.push(...news);
    if (failure === "lost-answer") throw new OfflineError();
    return { revision: this.log.length, stored: news.length };
  }

  async operationsSince(id: number, since: number, _expected?: ExpectedSession) {
    await Promise.resolve();
    this.find(id);
    return { revision: this.log.length, operations: this.log.slice(since) };
  }

  /** What the server itself adds: proposals, and their withdrawal. */
  propose(operations: readonly Operation[]): { revision: number } {
    const known = new Set(this.log.map((operation) => operation.id));
    const news = operations.filter((operation) => !known.has(operation.id));
    this.check(news);
    this.log.push(...news);
    return { revision: this.log.length };
  }

  /** What the case's document says beside its objects. */
  get fields(): CaseFields {
    return this.log.reduce(foldCase, { status: "new", missing: [] });
  }

  private find(id: number): void {
    if (id !== this.only.id) throw new ApiError(404, `there is no case ${id} in this workspace`);
  }

  private check(news: readonly Operation[]): void {
    const there = new Set(this.log.map((operation) => operation.object));
    for (const operation of news) {
      const { object } = operation;
      if (object === null) continue;
      if ((operation.kind === "create") === there.has(object))
        throw new ApiError(422, `${operation.kind} of ${object}`);
      there.add(object);
      const parent = operation.kind === "create" || operation.kind === "parent" ? operation.data.parent : null;
      if (parent !== null && (parent === object || !there.has(parent)))
        throw new ApiError(422, `${parent} cannot be a parent`);
      const mask = operation.kind === "create" || operation.kind === "mask" ? operation.mask : undefined;
      if (mask && (mask.x + mask.width > this.only.width || mask.y + mask.height > this.only.height)) {
        throw new ApiError(422, "the mask does not fit the image");
      }
    }
  }

  objects(): ObjectState[] {
    return [...folded(this.log).values()];
  }

  object(id: string): ObjectState | undefined {
    return folded(this.log).get(id);
  }
}

/** A page that shows whatever its operations say. */
export class FakePage implements SyncTarget {
  readonly states = new Map<string, ObjectState>();

  replace(objects: readonly ObjectState[]): void {
    for (const state of objects) this.states.set(state.id, state);
  }

  apply(operations: readonly Operation[]): void {
    for (const operation of operations) {
      if (operation.object === null) continue;
      const next = fold(this.states.get(operation.object) ?? null, operation);
      if (next) this.states.set(operation.object, next);
    }
  }

  object(id: string): ObjectState | null {
    return this.states.get(id) ?? null;
  }
}

/** What operations change or name as a parent; null is the case itself. */
function changedOrNamed(operations: readonly Operation[]): (string | null)[] {
  return operations.flatMap((operation) => {
    const parent = operation.kind === "create" || operation.kind === "parent" ? operation.data.parent : null;
    return parent === null ? [operation.object] : [operation.object, parent];
  });
}

function folded(log: readonly Operation[]): Map<string, ObjectState> {
  const page = new FakePage();
  page.apply(log);
  return page.states;
}

/** A Web Locks manager whose holders can crash. */
export class FakeLocks {
  private readonly held = new Set<string>();

  readonly request = (async (name: string, ...rest: unknown[]) => {
    const callback = rest.at(-1) as (lock: { name: string } | null) => unknown;
    if (this.held.has(name)) return callback(null);
    this.held.add(name);
    try {
      return await callback({ name });
    } finally {
      this.held.delete(name);
    }
  }) as LockManager["request"];

  /** All pages die at once, as in a crash of the browser. */
  crash(): void {
    this.held.clear();
  }
}

let counter = 0;

export function square(x: number, y: number, side: number): BoxMask {
  return new BoxMask(x, y, side, side, new Uint8Array(side * side).fill(1));
}

export function create(object: string, category: string | null = null): Operation {
  return {
    id: `create-${++counter}`,
    kind: "create",
    object,
    time: counter,
    data: { category, parent: null, source: "manual" },
  };
}

export function paint(object: string, mask: BoxMask): Operation {
  return { id: `mask-${++counter}`, kind: "mask", object, time: counter, data: { tool: "brush" }, mask };
}

export function relabel(object: string, category: string): Operation {
  return { id: `relabel-${++counter}`, kind: "relabel", object, time: counter, data: { category } };
}
