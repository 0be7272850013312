import { describe, expect, it } from "vitest";
import { seeded } from "../seeded_random.testing";
import type { Point } from "./point";
import { type BrushShape, StrokePainter, sweep } from "./stroke";

const WIDTH = 90;
const HEIGHT = 70;
const CLIP = { x: 0, y: 0, width: WIDTH, height: HEIGHT };
const NEAR = 1e-6;

function painted(shape: BrushShape, size: number, a: Point, b: Point): Uint8Array {
  const bits = new Uint8Array(WIDTH * HEIGHT);
  sweep(shape, size, a, b, CLIP, (y, x0, x1) => {
    if (x0 < 0 || x1 > WIDTH || x0 >= x1) expect([y, x0, x1]).toBe("a span within the image");
    bits.fill(1, y * WIDTH + x0, y * WIDTH + x1);
  });
  return bits;
}

/** How far the pixel's centre lies inside the brush's path, negative outside; by definition, pixel by pixel. */
function depth(shape: BrushShape, size: number, a: Point, b: Point, x: number, y: number): number {
  const [px, py] = [x + 0.5, y + 0.5];
  if (shape === "round") {
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const square = dx * dx + dy * dy;
    const share = square === 0 ? 0 : Math.min(1, Math.max(0, ((px - a[0]) * dx + (py - a[1]) * dy) / square));
    return size / 2 - Math.hypot(px - a[0] - share * dx, py - a[1] - share * dy);
  }
  // The distance by the larger axis is convex along the way, so thirds close in on its least.
  const far = (share: number) =>
    Math.max(Math.abs(px - a[0] - share * (b[0] - a[0])), Math.abs(py - a[1] - share * (b[1] - a[1])));
  let [low, high] = [0, 1];
  for (let step = 0; step < 50; step++) {
    const third = (high - low) / 3;
    if (far(low + third) <= far(high - third)) high -= third;
    else low += third;
  }
  return size / 2 - far((low + high) / 2);
}

describe.each(["round", "square"] as const)("a %s brush", (shape) => {
  it("paints the pixels whose centre its path covers, and no others", () => {
    const random = seeded(shape === "round" ? 5 : 6);
    const shift = shape === "square" ? 1 / 4096 : 0;
    let decided = 0;
    for (let round = 0; round < 30; round++) {
      const size = [2, 3, 7, 20, 41, 64][round % 6]! + (round % 4 === 0 ? random() : 0);
      const a: Point = [random() * (WIDTH + 30) - 15, random() * (HEIGHT + 30) - 15];
      const kind = round % 5;
      const b: Point = kind === 0 ? a : [kind === 1 ? a[0] : random() * WIDTH, kind === 2 ? a[1] : random() * HEIGHT];
      const bits = painted(shape, size, a, b);
      for (let y = 0; y < HEIGHT; y++) {
        for (let x = 0; x < WIDTH; x++) {
          const inside = depth(shape, size, [a[0] + shift, a[1] + shift], [b[0] + shift, b[1] + shift], x, y);
          if (Math.abs(inside) < NEAR) continue;
          decided++;
          if (bits[y * WIDTH + x] !== (inside > 0 ? 1 : 0)) expect({ size, a, b, x, y, inside }).toBe("as defined");
        }
      }
    }
    expect(decided).toBeGreaterThan(150_000);
  });

  it("of one pixel paints the pixel it points at, wherever in it", () => {
    const random = seeded(7);
    for (let round = 0; round < 100; round++) {
      const at: Point = [random() * WIDTH, random() * HEIGHT];
      const bits = painted(shape, 1, at, at);
      expect(bits.reduce((sum, bit) => sum + bit, 0)).toBe(1);
      expect(bits[Math.floor(at[1]) * WIDTH + Math.floor(at[0])]).toBe(1);
    }
  });

  it("of one pixel leaves no gap in a line", () => {
    const bits = painted(shape, 1, [3.2, 5.1], [80.7, 33.9]);
    for (let x = 3; x <= 80; x++) {
      const rows = Array.from({ length: HEIGHT }, (_, y) => bits[y * WIDTH + x]);
      expect(rows.some((bit) => bit === 1)).toBe(true);
    }
  });

  it("costs by the segment, not by what was painted before", () => {
    let prepared = 0;
    const sink = { prepare: () => prepared++, span: () => undefined };
    const painter = new StrokePainter(WIDTH, HEIGHT, shape, 20, sink);
    painter.extend([[20, 30]]);
    const costs: number[] = [];
    for (let dab = 1; dab <= 800; dab++) {
      const before = painter.visited;
      painter.extend([[20 + (dab % 2), 30]]);
      costs.push(painter.visited - before);
    }
    expect(new Set(costs).size).toBe(1);
    expect(prepared).toBe(801);
  });
});

it("a square of n pixels is n pixels wide also between pixels", () => {
  for (const size of [1, 2, 3, 8]) {
    for (const place of [30, 30.25, 30.5, 30.75]) {
      const bits = painted("square", size, [place, place], [place, place]);
      expect(bits.reduce((sum, bit) => sum + bit, 0)).toBe(size * size);
    }
  }
});

it("far outside of the image nothing is painted", () => {
  const bits = painted("round", 400, [-500, -500], [-300, -450]);
  expect(bits.some((bit) => bit === 1)).toBe(false);
});
