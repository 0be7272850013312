import "fake-indexeddb/auto";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Operation } from "../types";
import { SYNC_DEFAULTS } from "./case_sync";
import { create, FakeLocks, FakePage, FakeServer, paint, relabel, square } from "./fake_server.testing";
import { OperationQueue } from "./operation_queue";
import { sameMask } from "./operations_between";
import { Sync } from "./sync";
import type { Transport } from "./transport";

const CASE = { id: 7, name: "opg.png" };
const QUICK = { ...SYNC_DEFAULTS, debounce: 5, latest: 40, retry: 10, longestRetry: 20 };

let name = "";
let number = 0;
let server: FakeServer;
let locks: FakeLocks;

beforeEach(() => {
  name = `queue-${++number}`;
  server = new FakeServer();
  locks = new FakeLocks();
});

afterEach(() => vi.restoreAllMocks());

async function openTab(options = QUICK) {
  const queue = await OperationQueue.open(name, locks as unknown as LockManager);
  const wire = new Wire();
  const sync = new Sync(queue, wire, options);
  const page = new FakePage();
  return { queue, sync, page, wire };
}

/** A tab's way to the server; a crashed tab never gets an answer again. */
class Wire implements Transport {
  dead = false;

  append(...given: Parameters<Transport["append"]>) {
    return this.dead ? new Promise<never>(() => undefined) : server.append(...given);
  }

  operationsSince(...given: Parameters<Transport["operationsSince"]>) {
    return this.dead ? new Promise<never>(() => undefined) : server.operationsSince(...given);
  }
}

async function crash(tab: Tab): Promise<void> {
  tab.wire.dead = true;
  // What was done in the last milliseconds before a crash may be lost; it is not what these tests are about.
  await tab.queue.lanes();
  locks.crash();
  server.failures.length = 0;
}

type Tab = Awaited<ReturnType<typeof openTab>>;

async function openCase({ sync, page }: Tab) {
  await sync.settle(CASE, 200);
  const objects = server.objects();
  page.replace(objects);
  await sync.attach(CASE, server.log.length, objects, page);
}

async function tabWithCase(options = QUICK): Promise<Tab> {
  const tab = await openTab(options);
  await openCase(tab);
  return tab;
}

function act({ sync, page }: Tab, ...operations: Parameters<Sync["enqueue"]>[0]) {
  page.apply(operations);
  sync.enqueue(operations);
}

/** By notification and not by looking now and then: a state that lasts a few milliseconds must not be missed. */
function settled({ sync }: Tab, state = "saved"): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`not ${state} but ${sync.status().state}`)), 3000);
    const look = () => {
      if (sync.status().state !== state) return;
      clearTimeout(late);
      end();
      resolve();
    };
    const end = sync.subscribe(look);
    look();
  });
}

describe("sending", () => {
  it("brings operations in the order of the hand, a burst in one request", async () => {
    const tab = await tabWithCase();
    const operations = [create("a"), paint("a", square(1, 2, 3)), relabel("a", "11")];
    for (const operation of operations) act(tab, operation);
    expect(tab.sync.status()).toMatchObject({ state: "saving", pending: 3 });
    await settled(tab);
    expect(server.log.map((operation) => operation.id)).toEqual(operations.map((operation) => operation.id));
    expect(server.received).toHaveLength(1);
    expect(await tab.queue.pending("7/opg.png")).toEqual({ base: 3, operations: [] });
  });

  it("does not wait for the hand to rest longer than the limit", async () => {
    const tab = await tabWithCase({ ...QUICK, debounce: 3000, latest: 60 });
    act(tab, create("a"));
    const start = Date.now();
    while (server.log.length === 0 && Date.now() - start < 2000) {
      act(tab, relabel("a", "11"));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(server.log.length).toBeGreaterThan(0);
  });

  it("holds to two seconds and a debounce of at most 300 ms by default", () => {
    expect(SYNC_DEFAULTS.debounce).toBeLessThanOrEqual(300);
    expect(SYNC_DEFAULTS.latest).toBeLessThanOrEqual(2000);
  });

  it("retries when offline and keeps the order", async () => {
    const tab = await tabWithCase();
    server.failures.push("offline", "offline");
    const first = create("a");
    act(tab, first);
    await settled(tab, "offline");
    const second = relabel("a", "11");
    act(tab, second);
    await settled(tab);
    expect(server.log.map((operation) => operation.id)).toEqual([first.id, second.id]);
  });

  it("stores an operation once when the answer was lost", async () => {
    const tab = await tabWithCase();
    server.failures.push("lost-answer");
    act(tab, create("a"), relabel("a", "11"));
    await settled(tab, "offline");
    act(tab, relabel("a", "12"));
    await settled(tab);
    expect(server.log).toHaveLength(3);
    expect(server.object("a")?.category).toBe("12");
    expect(tab.sync.status().conflicts).toEqual([]);
  });

  it("tells of a full disk and goes on when there is room", async () => {
    const tab = await tabWithCase();
    server.failures.push("full");
    act(tab, create("a"));
    await settled(tab, "full");
    expect(tab.sync.status().detail).toBe("The disk is full.");
    await settled(tab);
    expect(server.log).toHaveLength(1);
  });

  it("sends again what a busy server did not take, and sets nothing aside", async () => {
    const tab = await tabWithCase();
    server.failures.push("busy", "busy");
    act(tab, create("a"));
    await settled(tab, "offline");
    expect(tab.sync.status().detail).toBe("The server is busy.");
    await settled(tab);
    expect(server.log).toHaveLength(1);
    expect(tab.sync.status().conflicts).toEqual([]);
  });

  it("tells when the browser cannot store, and still reaches the server", async () => {
    const tab = await tabWithCase({ ...QUICK, debounce: 40, latest: 40 });
    vi.spyOn(tab.queue, "add").mockRejectedValueOnce(new DOMException("", "QuotaExceededError"));
    act(tab, create("a"));
    await settled(tab, "full");
    await settled(tab);
    expect(server.log).toHaveLength(1);
  });

  it("sets aside only the operation that the server will never take", async () => {
    const tab = await tabWithCase();
    const refused: string[] = [];
    tab.sync.onRefused = (operation) => refused.push(operation.id);
    const operations = [create("a"), relabel("a", "11"), relabel("a", "12"), relabel("a", "13")];
    server.malformed = new Set([operations[2]!.id]);
    act(tab, ...operations);
    await settled(tab);
    expect(refused).toEqual([operations[2]!.id]);
    expect(server.log.map((operation) => operation.id)).toEqual([
      operations[0]!.id,
      operations[1]!.id,
      operations[3]!.id,
    ]);
  });
});

describe("after a crash", () => {
  it("shows and sends what was not acknowledged", async () => {
    const before = await tabWithCase();
    act(before, create("a", "11"));
    await settled(before);
    server.failures.push(...Array<"offline">(200).fill("offline"));
    act(before, paint("a", square(4, 5, 6)), create("b"));
    await settled(before, "offline");
    await crash(before);
    server.failures.push(...Array<"offline">(3).fill("offline"));

    const after = await tabWithCase();
    expect(sameMask(after.page.object("a")?.mask, square(4, 5, 6))).toBe(true);
    expect(after.page.object("b")).not.toBeNull();
    await settled(after);
    expect(server.log).toHaveLength(3);
    expect(server.object("a")?.mask?.area).toBe(36);
    expect(after.sync.status().conflicts).toEqual([]);
  });

  it("sends the work on cases that nobody opens again", async () => {
    const before = await tabWithCase();
    server.failures.push(...Array<"offline">(200).fill("offline"));
    act(before, create("a"));
    await settled(before, "offline");
    await crash(before);
    const after = await openTab();
    await after.sync.resume();
    await vi.waitFor(() => expect(server.log).toHaveLength(1));
  });

  it("takes the operations of a dead tab, never those of a living one", async () => {
    const living = await openTab();
    await living.queue.add("7/opg.png", 0, [create("a")]);
    const other = await openTab();
    expect(await other.queue.adopt()).toBe(0);
    await crash(living);
    expect(await other.queue.adopt()).toBe(1);
    expect((await other.queue.pending("7/opg.png")).operations).toHaveLength(1);
  });

  it("finds a clash of old work with what others did meanwhile", async () => {
    const before = await tabWithCase();
    act(before, create("a", "11"));
    await settled(before);
    server.failures.push(...Array<"offline">(200).fill("offline"));
    act(before, paint("a", square(0, 0, 2)));
    await settled(before, "offline");
    await crash(before);
    server.log.push(paint("a", square(9, 9, 3)));

    const after = await openTab();
    await after.sync.resume();
    await settled(after, "conflict");
    expect(server.log).toHaveLength(2);
    await openCase(after);
    expect(after.sync.status().conflicts.map((conflict) => conflict.object)).toEqual(["a"]);
    after.sync.resolve("a", "mine");
    await settled(after);
    expect(server.object("a")?.mask?.area).toBe(4);
  });
});

describe("two tabs on one case", () => {
  async function clash() {
    const one = await tabWithCase();
    act(one, create("a", "11"), paint("a", square(0, 0, 2)));
    await settled(one);
    const two = await tabWithCase();
    act(one, paint("a", square(10, 10, 3)), relabel("a", "12"));
    await settled(one);
    act(two, paint("a", square(20, 20, 4)));
    return { one, two };
  }

  it("merges silently when they touched different objects", async () => {
    const one = await tabWithCase();
    act(one, create("a"), create("b"));
    await settled(one);
    const two = await tabWithCase();
    act(one, relabel("a", "11"));
    await settled(one);
    act(two, relabel("b", "12"));
    await settled(two);
    expect(server.object("a")?.category).toBe("11");
    expect(server.object("b")?.category).toBe("12");
    expect(two.page.object("a")?.category).toBe("11");
    await one.sync.pull();
    expect(one.page.object("b")?.category).toBe("12");
  });

  it("asks when both changed one object, and stores nothing until it is decided", async () => {
    const { two } = await clash();
    await settled(two, "conflict");
    const stored = server.log.length;
    act(two, relabel("a", "13"));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(server.log).toHaveLength(stored);
    const [conflict] = two.sync.status().conflicts;
    expect(conflict?.theirs?.mask?.area).toBe(9);
    expect(conflict?.mine?.mask?.area).toBe(16);
  });

  it("takes theirs", async () => {
    const { two } = await clash();
    await settled(two, "conflict");
    const stored = server.log.length;
    expect(two.sync.resolve("a", "theirs")).toBeNull();
    await settled(two);
    expect(server.log).toHaveLength(stored);
    expect(two.page.object("a")).toMatchObject({ category: "12" });
    expect(two.page.object("a")?.mask?.area).toBe(9);
  });

  it("takes mine, with the class I see", async () => {
    const { two } = await clash();
    await settled(two, "conflict");
    two.sync.resolve("a", "mine");
    await settled(two);
    expect(server.object("a")).toMatchObject({ category: "11" });
    expect(server.object("a")?.mask?.area).toBe(16);
  });

  it("keeps both, mine as a new object", async () => {
    const { two } = await clash();
    await settled(two, "conflict");
    const kept = two.sync.resolve("a", "both");
    await settled(two);
    expect(server.object("a")).toMatchObject({ category: "12" });
    expect(server.object("a")?.mask?.area).toBe(9);
    const mine = server.objects().find((state) => state.id !== "a");
    expect(mine).toMatchObject({ id: kept, category: "11", deleted: false });
    expect(mine?.mask?.area).toBe(16);
    expect(two.page.object(mine!.id)?.mask?.area).toBe(16);
    expect(two.page.object("a")?.mask?.area).toBe(9);
  });

  it("keeps my object although they deleted it", async () => {
    const one = await tabWithCase();
    act(one, create("a", "11"));
    await settled(one);
    const two = await tabWithCase();
    act(one, { id: "gone", kind: "delete", object: "a", time: 0, data: { deleted: true } });
    await settled(one);
    act(two, paint("a", square(1, 1, 2)));
    await settled(two, "conflict");
    two.sync.resolve("a", "mine");
    await settled(two);
    expect(server.object("a")).toMatchObject({ deleted: false });
  });
});

describe("proposals of the model", () => {
  const data = { category: "36", parent: null, source: "proposal" as const, confidence: 0.5 };
  const propose = (object: string): Operation => ({
    id: `propose-${object}`,
    kind: "create",
    object,
    time: 0,
    data,
    mask: square(4, 4, 5),
  });
  const withdraw = (object: string): Operation => ({
    id: `withdraw-${object}`,
    kind: "delete",
    object,
    time: 0,
    data: { deleted: true, withdrawn: true },
  });

  it("arrive beside unsent work without a question", async () => {
    const tab = await tabWithCase();
    server.propose([propose("p")]);
    act(tab, create("a", "11"));
    await settled(tab);
    expect(tab.page.object("p")).toMatchObject({ proposed: true, category: "36" });
    expect(server.object("a")).toMatchObject({ category: "11" });
  });

  it("that the model withdraws during a person's work stay with that work, and nobody is asked", async () => {
    server.propose([propose("p"), propose("q")]);
    const tab = await tabWithCase();
    server.propose([withdraw("p"), withdraw("q")]);
    act(tab, relabel("p", "46"));
    await settled(tab);
    for (const object of [server.object("p"), tab.page.object("p")])
      expect(object).toMatchObject({ deleted: false, category: "46", proposed: false });
    expect(tab.page.object("q")).toMatchObject({ deleted: true });
  });

  it("that the model and a person delete at once stay deleted", async () => {
    server.propose([propose("p")]);
    const tab = await tabWithCase();
    server.propose([withdraw("p")]);
    act(tab, { id: "gone", kind: "delete", object: "p", time: 0, data: { deleted: true } });
    await settled(tab);
    expect(server.object("p")).toMatchObject({ deleted: true, proposed: false });
  });

  it("are kept by a page that comes back later with unsent work on them", async () => {
    server.propose([propose("p")]);
    const tab = await tabWithCase();
    server.failures.push("offline", "offline", "offline", "offline");
    act(tab, relabel("p", "46"));
    await crash(tab);
    server.propose([withdraw("p")]);
    const back = await tabWithCase();
    await settled(back);
    for (const object of [server.object("p"), back.page.object("p")])
      expect(object).toMatchObject({ deleted: false, category: "46" });
  });
});

describe("objects that are damaged on the server", () => {
  it("keeps work on them, sends everything else, and sends the rest once the server has them again", async () => {
    const tab = await tabWithCase();
    act(tab, create("a"), create("b"));
    await settled(tab);
    server.damaged.add("a");
    const stroke = paint("a", square(1, 2, 3));
    act(tab, stroke, paint("b", square(4, 5, 6)), relabel("b", "11"));
    await settled(tab, "damaged");
    expect(tab.sync.status()).toMatchObject({ pending: 1, detail: "object a is damaged" });
    expect(server.object("b")?.category).toBe("11");
    expect((await tab.queue.pending("7/opg.png")).operations).toEqual([stroke]);
    act(tab, relabel("b", "12"));
    while (server.object("b")?.category !== "12") await new Promise((resolve) => setTimeout(resolve, 5));
    server.damaged.clear();
    await settled(tab);
    expect(server.log.at(-1)?.id).toBe(stroke.id);
  });

  it("holds what belongs to one of them back too", async () => {
    const tab = await tabWithCase();
    act(tab, create("a"));
    await settled(tab);
    server.damaged.add("a");
    const inside = create("inside");
    if (inside.kind === "create") inside.data.parent = "a";
    act(tab, inside, create("b"));
    await settled(tab, "damaged");
    expect(server.log.map((operation) => operation.object)).toEqual(["a", "b"]);
    expect(tab.sync.status().pending).toBe(1);
  });
});
