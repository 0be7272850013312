import { describe, expect, it } from "vitest";
import { intersection, union } from "../geometry/rect";
import { seeded } from "../seeded_random.testing";
import { Bitmask, BoxMask } from "./mask";
import { Tracker } from "./tracker";

const WIDTH = 200;
const HEIGHT = 150;

it("a mask's runs are its ones, row by row", () => {
  const mask = new BoxMask(5, 7, 4, 2, Uint8Array.from([1, 1, 0, 1, 1, 1, 1, 1]));
  const runs: number[][] = [];
  mask.eachRun((...run) => runs.push(run));
  expect(runs).toEqual([
    [7, 5, 7],
    [7, 8, 9],
    [8, 5, 9],
  ]);
});

describe("a growing mask", () => {
  it("holds what a plain array would", () => {
    const random = seeded(3);
    const mask = new Bitmask(WIDTH, HEIGHT);
    const plain = new Uint8Array(WIDTH * HEIGHT);
    for (let round = 0; round < 2000; round++) {
      const y = Math.floor(random() * (HEIGHT + 20)) - 10;
      const x0 = Math.floor(random() * (WIDTH + 40)) - 20;
      const x1 = x0 + Math.floor(random() * 30);
      const value = random() < 0.6 ? 1 : 0;
      let changed = 0;
      for (let x = Math.max(0, x0); x < Math.min(WIDTH, x1) && y >= 0 && y < HEIGHT; x++) {
        changed += plain[y * WIDTH + x] === value ? 0 : 1;
        plain[y * WIDTH + x] = value;
      }
      if (mask.setSpan(y, x0, x1, value) !== changed) expect({ round, y, x0, x1, value }).toBe("counted right");
    }
    expect(mask.area).toBe(plain.reduce((sum, bit) => sum + bit, 0));
    const whole = mask.copy({ x: 0, y: 0, width: WIDTH, height: HEIGHT }).bits;
    expect(whole.findIndex((bit, index) => bit !== plain[index])).toBe(-1);
    expect(Bitmask.of(mask.snapshot(), WIDTH, HEIGHT).equals(mask)).toBe(true);
  });

  it("stores a box, not the image", () => {
    const mask = new Bitmask(3000, 1500);
    mask.setSpan(700, 1400, 1420, 1);
    expect(mask.bits.length).toBeLessThan(128 * 128);
    mask.setSpan(720, 1400, 1420, 1);
    expect(mask.bits.length).toBeLessThan(128 * 192);
  });

  it("writes only where it is allowed", () => {
    const mask = new Bitmask(20, 4);
    expect(mask.setSpanWhere(1, 2, 7, 1, Uint8Array.of(1, 0, 1, 1, 0))).toBe(3);
    expect([2, 3, 4, 5, 6].map((x) => mask.get(x, 1))).toEqual([1, 0, 1, 1, 0]);
    expect(mask.setSpanWhere(1, -1, 4, 0, Uint8Array.of(1, 1, 1, 1, 0))).toBe(1);
    expect(mask.area).toBe(2);
  });

  it("cuts a mask that reaches beyond the image", () => {
    const mask = Bitmask.of(new BoxMask(18, 2, 4, 4, new Uint8Array(16).fill(1)), 20, 4);
    expect(mask.area).toBe(4);
    expect(mask.snapshot()).toEqual(new BoxMask(18, 2, 2, 2, Uint8Array.of(1, 1, 1, 1)));
  });

  it("says where restoring it changed pixels", () => {
    const mask = Bitmask.of(new BoxMask(2, 2, 1, 1, Uint8Array.of(1)), 20, 20);
    const dirty = mask.restore(new BoxMask(15, 16, 1, 1, Uint8Array.of(1)));
    expect(intersection(dirty, { x: 2, y: 2, width: 1, height: 1 }).width).toBe(1);
    expect(intersection(dirty, { x: 15, y: 16, width: 1, height: 1 }).width).toBe(1);
    expect([mask.get(2, 2), mask.get(15, 16), mask.area]).toEqual([0, 1, 1]);
  });
});

describe("a mask in its box", () => {
  it("is equal by pixels, whatever its box", () => {
    const tight = new BoxMask(5, 6, 1, 2, Uint8Array.of(1, 1));
    const loose = new BoxMask(4, 6, 3, 3, Uint8Array.of(0, 1, 0, 0, 1, 0, 0, 0, 0));
    expect(loose.equals(tight)).toBe(true);
    expect(loose.tight()).toEqual(tight);
    expect(tight.equals(new BoxMask(5, 7, 1, 2, Uint8Array.of(1, 1)))).toBe(false);
    expect(new BoxMask(3, 3, 2, 2, new Uint8Array(4)).equals(BoxMask.empty())).toBe(true);
  });

  it("refuses bits that do not fill it", () => {
    expect(() => new BoxMask(0, 0, 2, 2, new Uint8Array(3))).toThrow(RangeError);
  });
});

it("rectangles join and meet", () => {
  const a = { x: 0, y: 0, width: 4, height: 4 };
  const b = { x: 2, y: 3, width: 5, height: 5 };
  expect(union(a, b)).toEqual({ x: 0, y: 0, width: 7, height: 8 });
  expect(intersection(a, b)).toEqual({ x: 2, y: 3, width: 2, height: 1 });
  expect(intersection(a, { x: 4, y: 0, width: 1, height: 1 }).width).toBe(0);
});

it("a tracker finds exactly the pixels that changed", () => {
  const random = seeded(4);
  const mask = new Bitmask(WIDTH, HEIGHT);
  for (let y = 30; y < 90; y++) mask.setSpan(y, 40, 120, 1);
  const before = mask.snapshot();
  const tracker = new Tracker(mask);
  for (let round = 0; round < 60; round++) {
    const y = Math.floor(random() * HEIGHT);
    const x = Math.floor(random() * WIDTH);
    tracker.touch({ x, y, width: 20, height: 1 });
    mask.setSpan(y, x, x + 20, random() < 0.5 ? 1 : 0);
  }
  const changes = tracker.changes();
  expect(changes).not.toBeNull();
  if (changes === null) return;
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++)
      if (changes.get(x, y) !== (before.get(x, y) ^ mask.get(x, y))) expect([x, y]).toBe("unchanged");
  }
  mask.flip(changes);
  expect(mask.snapshot().equals(before)).toBe(true);
});
