import "fake-indexeddb/auto";

import { expect, it, vi } from "vitest";

import { ApiError } from "../errors";
import type { Operation } from "../types";
import { create, FakePage, FakeServer } from "./fake_server.testing";
import { openSync } from "./sync";
import type { ExpectedSession } from "./transport";

const CASE = { id: 7, name: "opg.png" };

/** A server that can be started anew on another folder. */
class MovingServer extends FakeServer {
  annotator = "anna";

  constructor(public workspace: string) {
    super();
  }

  async session() {
    return { workspace: this.workspace, annotator: this.annotator };
  }

  override async append(id: number, revision: number, operations: readonly Operation[], expected?: ExpectedSession) {
    this.meet(expected);
    return super.append(id, revision, operations);
  }

  override async operationsSince(id: number, since: number, expected?: ExpectedSession) {
    this.meet(expected);
    return super.operationsSince(id, since);
  }

  private meet(expected?: ExpectedSession): void {
    if (expected?.workspace !== this.workspace || expected.annotator !== this.annotator) {
      throw new ApiError(412, "another workspace or annotator");
    }
  }
}

async function openTab(server: MovingServer) {
  const sync = await openSync(server.workspace, "anna", server);
  const page = new FakePage();
  await sync.attach(CASE, server.log.length, server.objects(), page);
  return sync;
}

it("sends nothing to another workspace that answers at the same address, and all of it to its own again", async () => {
  const server = new MovingServer("first");
  const sync = await openTab(server);
  sync.enqueue([create("a")]);
  await sync.flush();
  expect(server.log).toHaveLength(1);

  server.workspace = "second";
  sync.enqueue([create("b")]);
  await sync.flush();
  expect(server.log).toHaveLength(1);
  expect(sync.status()).toMatchObject({
    state: "offline",
    pending: 1,
    detail: expect.stringContaining("Another workspace"),
  });

  server.workspace = "first";
  await sync.flush();
  expect(server.log.map((operation) => operation.object)).toEqual(["a", "b"]);
});

it("finds what an earlier page left behind in its own workspace alone", async () => {
  const server = new MovingServer("third");
  const sync = await openTab(server);
  server.failures.push("offline");
  sync.enqueue([create("a")]);
  await sync.flush();
  expect(sync.status().pending).toBe(1);
  // That page is closed, and asks no more.
  sync.detach();
  const gone = vi.spyOn(server, "append").mockImplementation(() => new Promise(() => undefined));
  await new Promise((resolve) => setTimeout(resolve));

  const other = new MovingServer("fourth");
  await (await openTab(other)).flush();
  expect(other.received).toEqual([]);
  gone.mockRestore();
  const again = await openTab(server);
  await again.flush();
  expect(server.log.map((operation) => operation.object)).toEqual(["a"]);
});

it("sends nothing under the name of somebody else who signed in meanwhile", async () => {
  const server = new MovingServer("first");
  const sync = await openTab(server);
  server.annotator = "ben";
  sync.enqueue([create("a")]);
  await sync.flush();
  expect(server.log).toHaveLength(0);
  expect(sync.status()).toMatchObject({ state: "offline", pending: 1 });
  expect(sync.status().detail).toContain("ben is signed in");
  server.annotator = "anna";
  await sync.flush();
  expect(server.log).toHaveLength(1);
  expect(sync.status().state).toBe("saved");
});

it("asks for the session only after a refusal", async () => {
  const server = new MovingServer("first");
  const session = vi.spyOn(server, "session");
  const sync = await openTab(server);
  sync.enqueue([create("a")]);
  await sync.flush();
  expect(server.log).toHaveLength(1);
  expect(session).not.toHaveBeenCalled();
  server.annotator = "ben";
  sync.enqueue([create("b")]);
  await sync.flush();
  expect(session).toHaveBeenCalledTimes(1);
});
