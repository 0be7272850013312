import { afterEach, describe, expect, it } from "vitest";

import { ActiveTime } from "./active_time";
import type { TimeInterval } from "./types";

let clock: ActiveTime | null = null;

afterEach(() => clock?.dispose());

function watch(idleSeconds = 30) {
  const sent: { id: number; intervals: TimeInterval[]; keepalive: boolean }[] = [];
  const state = { now: 1_000_000, failing: false };
  const time = new ActiveTime(
    async (id, intervals, keepalive) => {
      if (state.failing) throw new Error("offline");
      sent.push({ id, intervals, keepalive });
    },
    { idleSeconds, now: () => state.now },
  );
  clock = time;
  const record = (seconds: number, tool: string, object: string | null = null) => {
    state.now += seconds * 1000;
    time.record(tool, object);
  };
  return { time, sent, state, record };
}

describe("active time", () => {
  it("divides the time by tool and object without losing or doubling any", async () => {
    const { time, sent, record } = watch();
    time.open(3, 100);
    record(0, "brush", "a");
    record(5, "brush", "a");
    record(2, "eraser", "a");
    record(4, "eraser", "b");
    record(1, "eraser", "b");
    expect(time.seconds).toBeCloseTo(112);
    await time.flush();
    expect(sent).toHaveLength(1);
    expect(sent[0]!.id).toBe(3);
    expect(sent[0]!.intervals.map(({ tool, object, seconds }) => [tool, object, seconds])).toEqual([
      ["brush", "a", 7],
      ["eraser", "a", 4],
      ["eraser", "b", 1],
    ]);
    expect(sent[0]!.intervals[1]!.start).toBe(1_007_000);
  });

  it("does not count a pause longer than the cut-off, and counts one that is not", () => {
    const { time, record } = watch(30);
    time.open(1, 0);
    record(0, "brush");
    record(30, "brush");
    record(31, "brush");
    record(3, "brush");
    expect(time.seconds).toBeCloseTo(33);
  });

  it("goes on counting over a sending", async () => {
    const { time, sent, record } = watch();
    time.open(1, 0);
    record(0, "brush");
    record(4, "brush");
    await time.flush();
    record(6, "brush");
    await time.flush();
    expect(sent.flatMap(({ intervals }) => intervals.map(({ seconds }) => seconds))).toEqual([4, 6]);
    expect(time.seconds).toBeCloseTo(10);
  });

  it("keeps what could not be sent", async () => {
    const { time, sent, state, record } = watch();
    time.open(1, 0);
    record(0, "brush");
    record(4, "brush");
    state.failing = true;
    await time.flush();
    expect(sent).toHaveLength(0);
    state.failing = false;
    await time.flush();
    expect(sent[0]!.intervals[0]!.seconds).toBe(4);
    await time.flush();
    expect(sent).toHaveLength(1);
  });

  it("books each case's time on that case", async () => {
    const { time, sent, record } = watch();
    time.open(1, 0);
    record(0, "brush");
    record(4, "brush");
    time.open(2, 50);
    expect(time.seconds).toBe(50);
    record(1, "brush");
    record(2, "brush");
    await time.flush(true);
    expect(sent.map(({ id, intervals, keepalive }) => [id, intervals[0]!.seconds, keepalive])).toEqual([
      [1, 4, true],
      [2, 2, true],
    ]);
  });
});
