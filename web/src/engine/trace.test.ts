import { describe, expect, it } from "vitest";
import { Bitmask } from "./mask";
import { seeded } from "./random.testing";
import { intersection, isEmpty, type Rect } from "./rect";
import { EDGE, INSIDE, OUTSIDE, trace } from "./trace";
import type { ViewState } from "./view";

/** The rule of the shader for one device pixel, in words of points of the image. */
function seen(mask: Bitmask, view: ViewState, x: number, y: number, outlineWidth: number): number {
  const scale = view.zoom * view.dpr;
  const point = [(x + 0.5 - view.x * view.dpr) / scale, (y + 0.5 - view.y * view.dpr) / scale];
  const at = (dx: number, dy: number) => mask.get(Math.floor(point[0] + dx), Math.floor(point[1] + dy)) === 1;
  if (!at(0, 0)) return OUTSIDE;
  const r = outlineWidth / view.zoom;
  const d = r * Math.SQRT1_2;
  const around = [[r, 0], [-r, 0], [0, r], [0, -r], [d, d], [-d, -d], [d, -d], [-d, d]];
  return around.every(([dx, dy]) => at(dx, dy)) ? INSIDE : EDGE;
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

describe("a traced mask", () => {
  it.each([0.31, 0.42, 1, 1.7, 8])("shows at zoom %d what the shader's rule says of every pixel", (zoom) => {
    const random = seeded(Math.round(100 * zoom));
    for (let turn = 0; turn < 6; turn++) {
      const mask = blot(random, 90, 70);
      const view = { zoom, x: 20 * random() - 10, y: 20 * random() - 10, width: 120, height: 90, dpr: turn % 2 === 0 ? 1 : 1.5 };
      const part = { x: Math.floor(30 * random()), y: Math.floor(20 * random()), width: 70, height: 50 };
      const outlineWidth = 1 + turn / 2;
      const found = trace(mask, view, part, outlineWidth);
      const wanted = found.map((_, index) => {
        const [column, row] = [index % part.width, Math.floor(index / part.width)];
        return seen(mask, view, part.x + column, part.y + row, outlineWidth);
      });
      expect(found).toEqual(wanted);
    }
  });

  it("is the same in pieces as in one", () => {
    const mask = blot(seeded(3), 90, 70);
    const view = { zoom: 1.3, x: 0.4, y: -2.7, width: 120, height: 90, dpr: 1 };
    const whole: Rect = { x: 0, y: 0, width: 116, height: 90 };
    const once = trace(mask, view, whole, 2);
    for (let y = 0; y < whole.height; y += 23) {
      for (let x = 0; x < whole.width; x += 31) {
        const part = intersection({ x, y, width: 31, height: 23 }, whole);
        if (isEmpty(part)) continue;
        const piece = trace(mask, view, part, 2);
        for (let row = 0; row < part.height; row++) {
          const start = (y + row) * whole.width + x;
          expect(piece.subarray(row * part.width, (row + 1) * part.width)).toEqual(once.subarray(start, start + part.width));
        }
      }
    }
  });

  it("is nothing where no mask is", () => {
    const view = { zoom: 1, x: 0, y: 0, width: 50, height: 50, dpr: 1 };
    const mask = new Bitmask(50, 50);
    mask.setSpan(10, 10, 20, 1);
    expect(trace(mask, view, { x: 200, y: 200, width: 5, height: 5 }, 2).every((pixel) => pixel === OUTSIDE)).toBe(true);
  });
});
