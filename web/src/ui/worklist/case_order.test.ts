import { describe, expect, it } from "vitest";

import type { CaseStatus, CaseSummary } from "../../api/types";
import { arranged, caseAfter, casesLeft, leftText, nextUnfinished } from "./case_order";

function one(id: number, name: string, status: CaseStatus = "new", uncertainty: number | null = null): CaseSummary {
  return {
    id,
    name,
    status,
    uncertainty,
    width: 10,
    height: 10,
    bits: 8,
    encoded: true,
    objects: 0,
    proposed: 0,
    revision: 0,
    comments: 0,
    active_seconds: 0,
    updated: null,
    damaged: false,
  };
}

const cases = [one(1, "opg10.png", "new", 0.1), one(2, "opg2.png", "done", null), one(3, "OPG1.png", "new", 0.7)];
const all = { status: "all", text: "", sort: "name" } as const;
const ids = (list: readonly CaseSummary[]) => list.map(({ id }) => id);

describe("worklist", () => {
  it("sorts by name as people count, and by uncertainty with the unknown last", () => {
    expect(ids(arranged(cases, all))).toEqual([3, 2, 1]);
    expect(ids(arranged(cases, { ...all, sort: "uncertainty" }))).toEqual([3, 1, 2]);
  });

  it("shows those that are damaged, whatever their status", () => {
    const damaged = { ...one(4, "a.png", "done"), damaged: true };
    expect(ids(arranged([...cases, damaged], { ...all, status: "damaged" }))).toEqual([4]);
    expect(ids(arranged([...cases, damaged], { ...all, status: "done" }))).toEqual([4, 2]);
  });

  it("finds a name by what it holds and by how it is shown", () => {
    const odd = one(4, "ph\u202eGNP.exe");
    for (const text of ["\u202e", "\\u202EGnp"])
      expect(ids(arranged([...cases, odd], { ...all, text }))).toEqual([4]);
  });

  it("filters by status and name", () => {
    expect(ids(arranged(cases, { ...all, status: "new" }))).toEqual([3, 1]);
    expect(ids(arranged(cases, { ...all, text: " OPG1. " }))).toEqual([3]);
  });

  it("goes on from an open case that its new status filtered out", () => {
    const view = { ...all, status: "new" } as const;
    expect(caseAfter(cases, view, cases[1]!, 1)?.id).toBe(1);
    expect(caseAfter(cases, view, cases[1]!, -1)?.id).toBe(3);
    expect(caseAfter(cases, all, cases[0]!, 1)).toBeNull();
    expect(caseAfter(cases, all, cases[0]!, -1)?.id).toBe(2);
  });
});

describe("the next unfinished case", () => {
  const five = [
    one(1, "a", "new"),
    one(2, "b", "done"),
    one(3, "c", "in-progress"),
    one(4, "d", "approved"),
    one(5, "e", "needs-review"),
  ];
  const next = (open: number, view: Parameters<typeof nextUnfinished>[1] = all) =>
    nextUnfinished(five, view, five[open - 1]!)?.id ?? null;

  it("passes over what is finished or waits for a reviewer, and begins again at the top", () => {
    expect(next(1)).toBe(3);
    expect(next(3)).toBe(1);
    expect(next(5)).toBe(1);
  });

  it("is never the open one", () => {
    expect(nextUnfinished(five.slice(0, 2), all, five[0]!)).toBeNull();
  });

  it("is one that the worklist shows", () => {
    expect(next(1, { ...all, status: "new" })).toBeNull();
    expect(next(1, { ...all, text: "c" })).toBe(3);
    expect(next(1, { ...all, status: "needs-review" })).toBe(5);
  });

  it("says how many are left, the closed one left out", () => {
    expect(casesLeft(five, 1)).toEqual({ unfinished: 1, review: 1, total: 5 });
    expect(leftText(casesLeft(five, 1), true)).toBe("1 case is left.");
    expect(leftText(casesLeft(five, 2), false)).toBe(
      "2 cases are left, but none among those that the worklist shows.",
    );
    expect(leftText({ unfinished: 0, review: 2, total: 9 }, false)).toBe("No case is left to label. 2 need review.");
    expect(leftText({ unfinished: 0, review: 0, total: 9 }, false)).toBe("All 9 cases are finished.");
  });
});
