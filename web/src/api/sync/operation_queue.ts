import { type DBSchema, deleteDB, type IDBPDatabase, openDB } from "idb";

import { pack, unpack } from "../../engine/masks/envelope";
import { newId } from "../../engine/new_id";
import type { Operation } from "../types";

/** The key grows for ever, so that its order is the order of the user's acts, also after an adoption. */
interface Row {
  key?: number;
  client: string;
  lane: string;
  id: string;
  body: Uint8Array;
}

/** The revision up to which the page that filled the lane had seen the server's log. */
interface Base {
  client: string;
  lane: string;
  revision: number;
}

interface Tables extends DBSchema {
  operations: { key: number; value: Row; indexes: { lane: [string, string]; client: string; id: string } };
  bases: { key: [string, string]; value: Base };
  refused: { key: number; value: Row & { reason: string } };
}

export interface Queued {
  base: number;
  operations: Operation[];
}

type Locks = Pick<LockManager, "request">;

function decoded(row: Row): Operation {
  return (unpack(row.body) as { operations: [Operation] }).operations[0];
}

/**
 * The operations that the server has not acknowledged yet, in IndexedDB.
 *
 * Every tab writes under a client id of its own and holds a Web Lock of that name for as long as it lives, so another tab can tell a
 * queue somebody still works on from one that a closed or crashed tab left behind, and adopts only the latter.
 */
export class OperationQueue {
  private last: Promise<unknown> = Promise.resolve();
  private adoptedBlindly = false;

  private constructor(
    private readonly database: IDBPDatabase<Tables>,
    private readonly name: string,
    readonly client: string,
    private readonly locks: Locks | undefined,
  ) {}

  static async open(name: string, locks: Locks | undefined = globalThis.navigator?.locks): Promise<OperationQueue> {
    const database = await openDB<Tables>(name, 1, {
      upgrade(upgraded) {
        const operations = upgraded.createObjectStore("operations", { keyPath: "key", autoIncrement: true });
        operations.createIndex("lane", ["client", "lane"]);
        operations.createIndex("client", "client");
        operations.createIndex("id", "id");
        upgraded.createObjectStore("bases", { keyPath: ["client", "lane"] });
        upgraded.createObjectStore("refused", { keyPath: "key", autoIncrement: true });
      },
    });
    const queue = new OperationQueue(database, name, newId(), locks);
    await queue.holdLock();
    return queue;
  }

  static remove(name: string): Promise<void> {
    return deleteDB(name);
  }

  /** Writes at once, in the order of the calls. Rejects where the browser's disk is full. */
  add(lane: string, base: number, operations: readonly Operation[]): Promise<void> {
    return this.replace(lane, base, [], operations);
  }

  /** Takes operations out and puts others at the end, in one transaction: a crash sees all of it or nothing. */
  replace(lane: string, base: number, out: readonly string[], into: readonly Operation[]): Promise<void> {
    const rows = into.map((operation) => this.row(lane, operation));
    return this.inOrder(async () => {
      const transaction = this.database.transaction(["operations", "bases"], "readwrite", { durability: "strict" });
      const operations = transaction.objectStore("operations");
      for (const id of out) {
        for (const key of await operations.index("id").getAllKeys(id)) void operations.delete(key);
      }
      for (const row of rows) void operations.add(row);
      void transaction.objectStore("bases").put({ client: this.client, lane, revision: base });
      await transaction.done;
    });
  }

  /** What the server will never take is kept aside instead of being thrown away. */
  async refuse(lane: string, base: number, operation: Operation, reason: string): Promise<void> {
    await this.inOrder(() => this.database.add("refused", { ...this.row(lane, operation), reason }));
    await this.replace(lane, base, [operation.id], []);
  }

  /** Settles when all that was handed over is on this computer's disk, or could not be put there. */
  async written(): Promise<void> {
    await this.last;
  }

  async pending(lane: string): Promise<Queued> {
    await this.last;
    const rows = await this.database.getAllFromIndex("operations", "lane", [this.client, lane]);
    const base = await this.database.get("bases", [this.client, lane]);
    return { base: base?.revision ?? 0, operations: rows.map(decoded) };
  }

  async lanes(): Promise<string[]> {
    await this.last;
    const rows = await this.database.getAllFromIndex("operations", "client", this.client);
    return [...new Set(rows.map((row) => row.lane))];
  }

  /** Takes over the queues of tabs that live no more; returns how many operations that were. */
  async adopt(): Promise<number> {
    await this.last;
    // Without Web Locks living and dead tabs look alike; taking over once is harmless, as the server ignores an id it knows.
    if (!this.locks && this.adoptedBlindly) return 0;
    this.adoptedBlindly = true;
    const rows = await this.database.getAll("operations");
    const others = new Set(rows.map((row) => row.client).filter((client) => client !== this.client));
    let adopted = 0;
    for (const other of others) adopted += await this.adoptFrom(other);
    return adopted;
  }

  close(): void {
    this.database.close();
  }

  private async adoptFrom(client: string): Promise<number> {
    const take = () =>
      this.inOrder(async () => {
        const transaction = this.database.transaction(["operations", "bases"], "readwrite", { durability: "strict" });
        const operations = transaction.objectStore("operations");
        const bases = transaction.objectStore("bases");
        const rows = await operations.index("client").getAll(client);
        for (const lane of new Set(rows.map((row) => row.lane))) {
          const theirs = await bases.get([client, lane]);
          const busy = (await operations.index("lane").count([this.client, lane])) > 0;
          const mine = busy ? await bases.get([this.client, lane]) : undefined;
          const revision = Math.min(theirs?.revision ?? 0, mine?.revision ?? Infinity);
          void bases.put({ client: this.client, lane, revision });
          void bases.delete([client, lane]);
        }
        for (const row of rows) void operations.put({ ...row, client: this.client });
        await transaction.done;
        return rows.length;
      });
    if (!this.locks) return take();
    return this.locks.request(this.lockName(client), { ifAvailable: true }, (lock) => (lock ? take() : 0));
  }

  private holdLock(): Promise<void> {
    const { locks } = this;
    if (!locks) return Promise.resolve();
    return new Promise((held) => {
      // The callback's promise never settles: the browser lets go when the page goes.
      void locks.request(this.lockName(this.client), () => {
        held();
        return new Promise<never>(() => undefined);
      });
    });
  }

  private lockName(client: string): string {
    return `${this.name}/${client}`;
  }

  private row(lane: string, operation: Operation): Row {
    return { client: this.client, lane, id: operation.id, body: pack({ operations: [operation] }) };
  }

  private inOrder<T>(work: () => Promise<T>): Promise<T> {
    const next = this.last.then(work, work);
    this.last = next.catch(() => undefined);
    return next;
  }
}
