import { describe, expect, it } from "vitest";

import { MAX_WHOLE, rowsInView } from "./row_window";

const even = () => 50;

describe("the rows on the page", () => {
  it("are all of a short list", () => {
    expect(rowsInView(MAX_WHOLE, even, 1e6, 500)).toEqual({ first: 0, last: MAX_WHOLE, above: 0, below: 0 });
  });

  it("are few of a long one, and the rest keeps its height", () => {
    for (const scrolled of [0, 30, 12_345, 499_400, 499_500]) {
      const { first, last, above, below } = rowsInView(10_000, even, scrolled, 500);
      expect(above).toBe(50 * first);
      expect(above + 50 * (last - first) + below).toBe(500_000);
      expect(above).toBeLessThanOrEqual(scrolled);
      expect(500_000 - below).toBeGreaterThanOrEqual(scrolled + 500);
      expect(last - first).toBeLessThan(60);
    }
  });

  it("count the heights of rows one by one", () => {
    const height = (row: number) => (row < 5_000 ? 100 : 50);
    const { first, above } = rowsInView(10_000, height, 500_000 + 5_000, 500);
    expect([first, above]).toEqual([5_084, 500_000 + 84 * 50]);
  });

  it("are the last ones where the list became shorter", () => {
    const { first, last, below } = rowsInView(1_000, even, 400_000, 500);
    expect([last, below]).toEqual([1_000, 0]);
    expect(first).toBeLessThan(1_000);
  });
});
