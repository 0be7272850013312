import { afterEach, beforeEach, expect, it, vi } from "vitest";

import * as client from "../../api/client";
import type { CaseSummary, Progress } from "../../api/types";
import { CaseList } from "./case_list";

function one(id: number, change: Partial<CaseSummary> = {}): CaseSummary {
  return {
    id,
    name: `${id}.png`,
    width: 10,
    height: 10,
    bits: 8,
    status: "new",
    revision: 0,
    uncertainty: null,
    encoded: false,
    objects: 0,
    proposed: 0,
    comments: 0,
    active_seconds: 0,
    updated: null,
    ...change,
  } as CaseSummary;
}

const progress = (encoded: number, total: number, worklist = 0) =>
  ({ encoded, total, worklist, failed: [] }) as unknown as Progress;
const none = () => null;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("keeps the cases that the server reports unchanged, and what the page knows better of the open one", async () => {
  const list = new CaseList([one(1), one(2), one(3, { objects: 7 })]);
  const before = list.get().cases;
  vi.spyOn(client, "cases").mockResolvedValue([one(1), one(2, { encoded: true }), one(3, { objects: 6 }), one(4)]);
  await list.take(progress(1, 4), () => 3);
  const after = list.get().cases;
  expect(after.map((each, place) => each === before[place])).toEqual([true, false, true, false]);
  expect(after[1]?.encoded).toBe(true);
});

it("reads a long list less often while images are encoded, and once more when all are", async () => {
  const many = Array.from({ length: 10_000 }, (_, id) => one(id));
  const list = new CaseList(many);
  const read = vi.spyOn(client, "cases").mockResolvedValue(many);
  const reads = async (report: Progress) => {
    await list.take(report, none);
    return read.mock.calls.length;
  };
  expect(await reads(progress(1, 10_000))).toBe(1);
  vi.advanceTimersByTime(2_000);
  expect(await reads(progress(2, 10_000))).toBe(1);
  vi.advanceTimersByTime(8_000);
  expect(await reads(progress(3, 10_000))).toBe(2);
  expect(await reads(progress(3, 10_000))).toBe(2);
  expect(await reads(progress(3, 10_000, 1))).toBe(3);
  expect(await reads(progress(10_000, 10_000, 1))).toBe(4);
});
