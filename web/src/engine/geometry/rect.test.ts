import { expect, it } from "vitest";
import { seeded } from "../seeded_random.testing";
import { type Rect, subtract, withRect } from "./rect";

const random = seeded(11);
const some = (most: number) => Math.floor(random() * most);
const rectangle = (): Rect => ({ x: some(12), y: some(12), width: some(9), height: some(9) });
const places = Array.from({ length: 24 * 24 }, (_, index) => [index % 24, Math.floor(index / 24)] as const);
const within = ({ x, y, width, height }: Rect, column: number, row: number) =>
  column >= x && row >= y && column < x + width && row < y + height;

it("minus another, a rectangle is every pixel of it that the other does not have, once", () => {
  for (let turn = 0; turn < 300; turn++) {
    const [a, b] = [rectangle(), rectangle()];
    const left = subtract(a, b);
    const counts = places.map(([x, y]) => left.filter((rect) => within(rect, x, y)).length);
    expect(counts).toEqual(places.map(([x, y]) => (within(a, x, y) && !within(b, x, y) ? 1 : 0)));
  }
});

it("withRect rectangles hold all pixels, and the dabs of a line stay a few", () => {
  const line = Array.from({ length: 40 }, (_, index) => ({ x: index, y: index, width: 30, height: 30 }));
  const all = line.reduce<Rect[]>(withRect, []);
  expect(all.length).toBeLessThan(12);
  for (const { x, y } of line)
    expect(all.some((rect) => within(rect, x, y) && within(rect, x + 29, y + 29))).toBe(true);
  const apart = [
    { x: 0, y: 0, width: 5, height: 5 },
    { x: 500, y: 500, width: 5, height: 5 },
  ].reduce<Rect[]>(withRect, []);
  expect(apart).toHaveLength(2);
});
