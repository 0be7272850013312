import { describe, expect, it } from "vitest";
import { intersection, isEmpty, type Rect } from "../../geometry/rect";
import type { ViewState } from "../../geometry/view";
import { Bitmask } from "../../masks/mask";
import { seeded } from "../../seeded_random.testing";
import { trace } from "./trace";

/** The quadratic B-spline. */
function bell(t: number): number {
  const away = Math.abs(t);
  return away <= 0.5 ? 0.75 - away * away : away <= 1.5 ? 0.5 * (1.5 - away) ** 2 : 0;
}

/** How much of a device pixel is covered around a point of the image: the field by its definition. */
function covered(mask: Bitmask, x: number, y: number, scale: number): number {
  let value = 0;
  for (let row = Math.floor(y) - 3; row <= y + 3; row++) {
    for (let column = Math.floor(x) - 3; column <= x + 3; column++) {
      value += mask.get(column, row) * bell(x - column - 0.5) * bell(y - row - 0.5);
    }
  }
  if (value < 1e-9) return 0;
  if (value > 1 - 1e-9) return 1;
  const away = 1 - Math.sqrt(Math.max(0, 1 - 2 * Math.abs(value - 0.5)));
  return Math.min(1, Math.max(0, 0.5 + Math.sign(value - 0.5) * away * Math.max(0.5, scale)));
}

/** The rule of the shader for one device pixel: inside and outline, 0..255. */
function seen(mask: Bitmask, view: ViewState, x: number, y: number, width: number, dash = 0): [number, number] {
  const scale = view.zoom * view.dpr;
  const [px, py] = [(x + 0.5 - view.x * view.dpr) / scale, (y + 0.5 - view.y * view.dpr) / scale];
  const inside = covered(mask, px, py, scale);
  const r = width / view.zoom;
  const d = r * Math.SQRT1_2;
  const around: [number, number][] = [
    [r, 0],
    [-r, 0],
    [0, r],
    [0, -r],
    [d, d],
    [-d, -d],
    [d, -d],
    [-d, d],
  ];
  const deep = Math.min(...around.map(([dx, dy]) => covered(mask, px + dx, py + dy, scale)));
  const across = Math.abs(covered(mask, px, py + r, scale) - covered(mask, px, py - r, scale));
  const down = Math.abs(covered(mask, px + r, py, scale) - covered(mask, px - r, py, scale));
  const turns = ((across > down ? px : py) * scale) / (dash * view.dpr);
  // Where both are equal but for rounding, either may be the longer one.
  if (dash > 0 && (Math.abs(across - down) < 1e-6 || nearly(turns))) return [255 * inside, NaN];
  if (dash > 0 && turns - Math.floor(turns) >= 0.6) return [255 * inside, 0];
  return [255 * inside, 255 * inside * (1 - deep)];
}

/** Whether a dash begins or ends just there. */
function nearly(turns: number): boolean {
  const part = turns - Math.floor(turns);
  return Math.min(part, 1 - part, Math.abs(part - 0.6)) < 1e-6;
}

function blot(random: () => number, width: number, height: number): Bitmask {
  const mask = new Bitmask(width, height);
  for (let part = 0; part < 6; part++) {
    const [x, y] = [Math.floor(random() * width), Math.floor(random() * height)];
    for (let row = 0; row < 1 + random() * 30; row++) mask.setSpan(y + row, x, x + Math.floor(random() * 40), 1);
  }
  for (let hole = 0; hole < 40; hole++) mask.set(Math.floor(random() * width), Math.floor(random() * height), 0);
  return mask;
}

/** A mask of the pixels whose centre lies above the line y = offset + slope * x. */
function slanted(slope: number, offset: number, size: number): Bitmask {
  const mask = new Bitmask(size, size);
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) if (y + 0.5 < offset + slope * (x + 0.5)) mask.set(x, y, 1);
  return mask;
}

describe("a traced mask", () => {
  it.each([0.31, 0.42, 1, 1.7, 8])("shows at zoom %d what the shader's rule says of every pixel", (zoom) => {
    const random = seeded(Math.round(100 * zoom));
    for (let turn = 0; turn < 6; turn++) {
      const mask = blot(random, 90, 70);
      const view = {
        zoom,
        x: 20 * random() - 10,
        y: 20 * random() - 10,
        width: 120,
        height: 90,
        dpr: turn % 2 === 0 ? 1 : 1.5,
      };
      const part = { x: Math.floor(30 * random()), y: Math.floor(20 * random()), width: 70, height: 50 };
      const outline = 1 + turn / 2;
      const found = trace(mask, view, part, { outline, rim: turn % 3 === 0 ? 1 : 0, dash: 0 });
      let furthest = 0;
      for (let index = 0; index < found.inside.length; index++) {
        const [x, y] = [part.x + (index % part.width), part.y + Math.floor(index / part.width)];
        const [inside, edge] = seen(mask, view, x, y, outline);
        furthest = Math.max(furthest, Math.abs(found.inside[index]! - inside), Math.abs(found.edge[index]! - edge));
        if (found.rim === null) continue;
        furthest = Math.max(furthest, Math.abs(found.rim[index]! - seen(mask, view, x, y, 1)[1]));
      }
      // Rounding, and places in single precision where the field is steepest.
      expect(furthest).toBeLessThan(2);
    }
  });

  it.each([0.13, 0.31, 0.5, 0.77, 1])(
    "draws an edge of slope %d as a line and no staircase, however large the pixels are",
    (slope) => {
      const zoom = 16;
      const mask = slanted(slope, 8.3, 40);
      const view = { zoom, x: 0, y: 0, width: 640, height: 640, dpr: 1 };
      const { inside } = trace(mask, view, { x: 0, y: 0, width: 640, height: 640 }, { outline: 1, rim: 0, dash: 0 });
      const heights: number[] = [];
      for (let x = 64; x < 320; x++) {
        let height = 0;
        for (let y = 0; y < 640; y++) height += inside[y * 640 + x]! / 255;
        heights.push(height / zoom - (8.3 + (slope * (x + 0.5)) / zoom));
      }
      // The mask's own border is off the line by half a pixel and jumps by a whole one; what is drawn follows it in small steps.
      expect(Math.max(...heights.map(Math.abs))).toBeLessThan(0.5);
      const steps = heights.slice(1).map((height, index) => Math.abs(height - heights[index]!));
      expect(Math.max(...steps)).toBeLessThan(0.12);
    },
  );

  it("shows a line of one pixel one pixel wide, and a single pixel at all", () => {
    const mask = new Bitmask(40, 40);
    mask.setSpan(10, 5, 35, 1);
    mask.set(20, 30, 1);
    const view = { zoom: 10, x: 0, y: 0, width: 400, height: 400, dpr: 1 };
    const { inside } = trace(mask, view, { x: 0, y: 0, width: 400, height: 400 }, { outline: 1, rim: 0, dash: 0 });
    let width = 0;
    for (let y = 0; y < 200; y++) width += inside[y * 400 + 200]! / 255;
    expect(width).toBeCloseTo(10, 0);
    expect(inside[305 * 400 + 205]).toBeGreaterThan(200);
  });

  it("is the same in pieces as in one", () => {
    const mask = blot(seeded(3), 90, 70);
    const view = { zoom: 1.3, x: 0.4, y: -2.7, width: 120, height: 90, dpr: 1 };
    const whole: Rect = { x: 0, y: 0, width: 116, height: 90 };
    const lines = { outline: 2, rim: 1, dash: 0 };
    const once = trace(mask, view, whole, lines);
    for (let y = 0; y < whole.height; y += 23) {
      for (let x = 0; x < whole.width; x += 31) {
        const part = intersection({ x, y, width: 31, height: 23 }, whole);
        if (isEmpty(part)) continue;
        const piece = trace(mask, view, part, lines);
        for (const layer of ["inside", "edge", "rim"] as const) {
          for (let row = 0; row < part.height; row++) {
            const start = (y + row) * whole.width + x;
            expect(piece[layer]!.subarray(row * part.width, (row + 1) * part.width)).toEqual(
              once[layer]!.subarray(start, start + part.width),
            );
          }
        }
      }
    }
  });

  it.each([0.42, 1, 3])(
    "has dashes by the shader's rule at zoom %d, which stay where they are when the view moves",
    (zoom) => {
      const mask = blot(seeded(5), 90, 70);
      for (let row = 20; row < 40; row++) mask.setSpan(row, 25 + (row >> 2), 55, 1);
      const view = { zoom, x: 3.25, y: -2.5, width: 120, height: 90, dpr: 1.5 };
      const part = { x: Math.round(20 * zoom), y: Math.round(10 * zoom), width: 160, height: 110 };
      const lines = { outline: 2, rim: 0, dash: 9 };
      const found = trace(mask, view, part, lines);
      let [furthest, gaps] = [0, 0];
      for (let index = 0; index < found.edge.length; index++) {
        const [x, y] = [part.x + (index % part.width), part.y + Math.floor(index / part.width)];
        const [, edge] = seen(mask, view, x, y, 2, 9);
        if (Number.isNaN(edge)) continue;
        furthest = Math.max(furthest, Math.abs(found.edge[index]! - edge));
        if (edge === 0 && seen(mask, view, x, y, 2)[1] > 128) gaps++;
      }
      expect(furthest).toBeLessThan(2);
      expect(gaps).toBeGreaterThan(50);
      // Six device pixels to the right and three down.
      const moved = trace(
        mask,
        { ...view, x: view.x + 4, y: view.y + 2 },
        { ...part, x: part.x + 6, y: part.y + 3 },
        lines,
      );
      expect(moved.edge).toEqual(found.edge);
    },
  );

  it("is nothing where no mask is", () => {
    const view = { zoom: 1, x: 0, y: 0, width: 50, height: 50, dpr: 1 };
    const mask = new Bitmask(50, 50);
    mask.setSpan(10, 10, 20, 1);
    const { inside } = trace(mask, view, { x: 200, y: 200, width: 5, height: 5 }, { outline: 2, rim: 0, dash: 0 });
    expect(inside.every((pixel) => pixel === 0)).toBe(true);
  });
});
