import { describe, expect, it } from "vitest";
import type { CaseImage } from "../case_image";
import { colourAt, PALETTE, rgbOf } from "../palette";
import { seeded } from "../seeded_random.testing";
import { equalise } from "./clahe";
import { brightness, lookupTable, validLevels, windowOf, withWindow } from "./levels";
import { pyramidOf } from "./pyramid";

const plain = { low: 1000, high: 3000, gamma: 1, invert: false };

describe("levels", () => {
  it("map the window of a 16-bit image on 0..255", () => {
    const table = lookupTable(plain, 16);
    expect(table).toHaveLength(65536);
    expect([0, 1000, 1500, 2000, 3000, 65535].map((value) => table[value])).toEqual([0, 0, 64, 128, 255, 255]);
  });

  it("tell apart values that eight bits would have joined", () => {
    const table = lookupTable({ ...plain, low: 30000, high: 30255 }, 16);
    expect(Array.from({ length: 256 }, (_, step) => table[30000 + step])).toEqual(
      Array.from({ length: 256 }, (_, step) => step),
    );
  });

  it("lift the dark parts with gamma and invert after it", () => {
    expect(brightness(1500, { ...plain, gamma: 2 })).toBeCloseTo(0.5, 12);
    expect(brightness(1500, { ...plain, gamma: 2, invert: true })).toBeCloseTo(0.5, 12);
    expect(brightness(1180, { ...plain, gamma: 2, invert: true })).toBeCloseTo(0.7, 12);
    expect(lookupTable({ low: 0, high: 255, gamma: 1, invert: true }, 8)[10]).toBe(245);
  });

  it("correct what no renderer could use", () => {
    expect(validLevels({ low: 5, high: 5, gamma: 0, invert: false })).toEqual({
      low: 5,
      high: 6,
      gamma: 0.2,
      invert: false,
    });
    expect(validLevels({ low: Number.NaN, high: Number.NaN, gamma: Number.NaN, invert: true })).toEqual({
      low: 0,
      high: 1,
      gamma: 1,
      invert: true,
    });
  });

  it("are also a width and a centre", () => {
    expect(windowOf(plain)).toEqual({ width: 2000, centre: 2000 });
    expect(withWindow(plain, 500, 1200)).toEqual({ ...plain, low: 950, high: 1450 });
  });
});

function finish(image: CaseImage, clip: number): Uint8Array | Uint16Array {
  const work = equalise(image, { clip, tiles: 4 });
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

describe("equalisation", () => {
  const random = seeded(14);
  const width = 96;
  const pixels = Uint16Array.from(
    { length: width * 64 },
    (_, index) => 20000 + (index % width) * 4 + Math.floor(random() * 40),
  );
  const image: CaseImage = { width, height: 64, bits: 16, pixels, low: 10000, high: 40000 };

  it("spreads a flat part and stays within the window", () => {
    const result = finish(image, 4);
    const spread = (values: Uint8Array | Uint16Array) => Math.max(...values) - Math.min(...values);
    expect(result).toBeInstanceOf(Uint16Array);
    expect(spread(result)).toBeGreaterThan(10 * spread(pixels));
    expect(Math.min(...result)).toBeGreaterThanOrEqual(10000);
    expect(Math.max(...result)).toBeLessThanOrEqual(40000);
  });

  it("does less with a lower limit and leaves the image as it was", () => {
    const copy = pixels.slice();
    const far = (values: Uint8Array | Uint16Array) => Math.max(...values) - Math.min(...values);
    expect(far(finish(image, 1))).toBeLessThan(far(finish(image, 6)));
    expect(pixels.every((value, index) => value === copy[index])).toBe(true);
  });

  it("keeps the order of values within a place", () => {
    const flat = { ...image, pixels: Uint16Array.from(pixels, (_, index) => 20000 + (index % 7) * 100) };
    const result = finish(flat, 3);
    const middle = 32 * width + 44;
    for (let index = middle; index < middle + 7; index++) {
      for (let other = middle; other < middle + 7; other++) {
        if (flat.pixels[index]! < flat.pixels[other]!) expect(result[index]).toBeLessThanOrEqual(result[other]!);
      }
    }
  });
});

it("the pyramid halves by means down to a small image", () => {
  const pixels = Uint16Array.from({ length: 301 * 200 }, (_, index) => (index * 7919) % 65536);
  const levels = pyramidOf(pixels, 301, 200);
  expect(levels.map(({ width, height }) => [width, height])).toEqual([
    [301, 200],
    [150, 100],
    [75, 50],
  ]);
  const mean = (pixels[301 * 4 + 6]! + pixels[301 * 4 + 7]! + pixels[301 * 5 + 6]! + pixels[301 * 5 + 7]!) / 4;
  expect(Math.abs(levels[1]!.pixels[150 * 2 + 3]! - mean)).toBeLessThanOrEqual(0.5);
});

describe("the palette", () => {
  it("has no grey and no colour twice", () => {
    for (const colour of PALETTE) {
      const channels = rgbOf(colour);
      expect(Math.max(...channels) - Math.min(...channels)).toBeGreaterThan(80);
    }
    expect(new Set(PALETTE).size).toBe(PALETTE.length);
    expect(colourAt(PALETTE.length + 2)).toBe(PALETTE[2]);
  });

  it("reads #rrggbb and nothing else", () => {
    expect(rgbOf("#01Fe80")).toEqual([1, 254, 128]);
    for (const wrong of ["red", "#fff", "#12345g", "url(#a)"]) expect(() => rgbOf(wrong)).toThrow(RangeError);
  });
});
