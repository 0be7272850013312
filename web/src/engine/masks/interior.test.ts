import { describe, expect, it } from "vitest";
import { seeded } from "../seeded_random.testing";
import { interiorOf } from "./interior";
import { Bitmask } from "./mask";

/** The distance of a pixel to the nearest one outside of the mask, by search. */
function depth(mask: Bitmask, x: number, y: number): number {
  let least = Infinity;
  for (let row = -1; row <= mask.height; row++) {
    for (let column = -1; column <= mask.width; column++) {
      if (mask.get(column, row) === 0) least = Math.min(least, Math.hypot(column - x, row - y));
    }
  }
  return least;
}

describe("the interior of a mask", () => {
  it("is about the point farthest from its border", () => {
    const random = seeded(6);
    for (let round = 0; round < 10; round++) {
      const mask = new Bitmask(60, 50);
      for (let part = 0; part < 4; part++) {
        const [x, y, w, h] = [40 * random(), 30 * random(), 4 + 16 * random(), 4 + 16 * random()].map(Math.floor) as [
          number,
          number,
          number,
          number,
        ];
        for (let row = y; row < y + h; row++) mask.setSpan(row, x, x + w, 1);
      }
      let deepest = 0;
      for (let y = 0; y < 50; y++)
        for (let x = 0; x < 60; x++) if (mask.get(x, y) === 1) deepest = Math.max(deepest, depth(mask, x, y));
      const found = interiorOf(mask)!;
      const [x, y] = found.at.map(Math.floor) as [number, number];
      expect(mask.get(x, y)).toBe(1);
      expect(depth(mask, x, y)).toBeGreaterThanOrEqual(0.85 * deepest - 1);
      expect(Math.abs(found.radius - deepest)).toBeLessThan(0.15 * deepest + 1);
    }
  });

  it("lies within a large mask, a ring and a line, and is nothing without pixels", () => {
    const mask = new Bitmask(3000, 1500);
    expect(interiorOf(mask)).toBeNull();
    mask.setSpan(700, 100, 2900, 1);
    const [x, y] = interiorOf(mask)!.at.map(Math.floor) as [number, number];
    expect(mask.get(x, y)).toBe(1);
    for (let row = 0; row < 1500; row++) if (Math.abs(row - 750) > 400) mask.setSpan(row, 200, 2800, 1);
    const inside = interiorOf(mask)!.at.map(Math.floor);
    expect(mask.get(inside[0]!, inside[1]!)).toBe(1);
  });
});
