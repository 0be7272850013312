import { describe, expect, it } from "vitest";
import { type Change, type Entry, History, MAX_STEPS } from "./history";

function entryOf(object: string, bytes = 0): Entry {
  const context = { prompts: { clicks: [], box: null }, model: null, uncorrected: null, choices: null };
  const mask = { x: 0, y: 0, width: 1, height: 1, runs: new Uint8Array(bytes) };
  const change: Change = {
    kind: "mask",
    object,
    tool: "brush",
    mask,
    painted: null,
    erased: null,
    before: context,
    after: context,
    operation: "",
  };
  return { changes: [change] };
}

describe("the history", () => {
  it("goes back and forth in order and forgets what was undone at the next step", () => {
    const history = new History();
    const [a, b, c] = [entryOf("a"), entryOf("b"), entryOf("c")];
    history.push(a);
    history.push(b);
    expect(history.back()).toBe(b);
    expect(history.back()).toBe(a);
    expect(history.back()).toBeNull();
    expect(history.forward()).toBe(a);
    history.push(c);
    expect(history.redoable).toBe(0);
    expect(history.forward()).toBeNull();
    expect(history.back()).toBe(c);
  });

  it("is 300 deep and lets the oldest go", () => {
    const history = new History();
    for (let step = 0; step < MAX_STEPS + 50; step++) history.push(entryOf(String(step)));
    expect(history.undoable).toBe(300);
    let last: Entry | null = null;
    for (let entry = history.back(); entry !== null; entry = history.back()) last = entry;
    expect(last?.changes[0]?.object).toBe("50");
  });

  it("holds no more bytes than it may, and counts them right", () => {
    const history = new History(300, 10_000);
    for (let step = 0; step < 40; step++) history.push(entryOf("a", 800));
    expect(history.undoable).toBe(10);
    expect(history.size).toBe(10_000);
    history.back();
    history.push(entryOf("b", 0));
    expect(history.size).toBe(9 * 1000 + 200);
    history.drop((change) => change.object === "a");
    expect(history.size).toBe(200);
    history.clear();
    expect(history.size).toBe(0);
  });
});
