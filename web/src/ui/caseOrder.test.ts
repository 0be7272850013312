import { describe, expect, it } from "vitest";

import type { CaseStatus, CaseSummary } from "../api/types";
import { arranged, caseAfter } from "./caseOrder";

function one(id: number, name: string, status: CaseStatus = "new", uncertainty: number | null = null): CaseSummary {
  return {
    id, name, status, uncertainty, width: 10, height: 10, bits: 8, encoded: true, objects: 0, revision: 0, comments: 0, active_seconds: 0, updated: null,
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

  it("filters by status and name", () => {
    expect(ids(arranged(cases, { ...all, status: "new" }))).toEqual([3, 1]);
    expect(ids(arranged(cases, { ...all, text: " OPG1. " }))).toEqual([3]);
  });

  it("goes on from an open case that its new status filtered out", () => {
    const view = { ...all, status: "new" } as const;
    expect(caseAfter(cases, view, cases[1], 1)?.id).toBe(1);
    expect(caseAfter(cases, view, cases[1], -1)?.id).toBe(3);
    expect(caseAfter(cases, all, cases[0], 1)).toBeNull();
    expect(caseAfter(cases, all, cases[0], -1)?.id).toBe(2);
  });
});
