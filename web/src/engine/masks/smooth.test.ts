import { describe, expect, it } from "vitest";
import { seeded } from "../seeded_random.testing";
import { BoxMask } from "./mask";
import { smooth } from "./smooth";

const [WIDTH, HEIGHT] = [2900, 1250];

function drawn(
  x0: number,
  y0: number,
  width: number,
  height: number,
  inside: (x: number, y: number) => boolean,
): BoxMask {
  const bits = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) bits[y * width + x] = inside(x, y) ? 1 : 0;
  return new BoxMask(x0, y0, width, height, bits);
}

/** A tooth of 110 x 240 pixels with a ragged border. */
function ragged(): BoxMask {
  const random = seeded(4);
  const edge = Array.from({ length: 260 }, () => 10 * random());
  return drawn(600, 300, 150, 260, (x, y) => y >= 10 && y < 250 && x >= 20 + edge[y]! && x < 130 - edge[259 - y]!);
}

/** Pixels with a neighbour beside or above of another value: the length of the border. */
function border(mask: BoxMask): number {
  let length = 0;
  for (let y = mask.y; y <= mask.y + mask.height; y++) {
    for (let x = mask.x; x <= mask.x + mask.width; x++) {
      if (mask.get(x, y) !== mask.get(x - 1, y)) length++;
      if (mask.get(x, y) !== mask.get(x, y - 1)) length++;
    }
  }
  return length;
}

describe("smoothing", () => {
  it("is the blur by its definition, cut where the area is kept", () => {
    const random = seeded(10);
    const mask = drawn(5, 6, 24, 20, () => random() < 0.6);
    const radius = Math.max(1, Math.round(4 * 0.02 * Math.sqrt(mask.area)));
    let field = Array.from({ length: 50 }, (_, y) => Array.from({ length: 50 }, (_, x) => mask.get(x, y) as number));
    const shares = Array.from({ length: 2 * radius + 1 }, (_, index) => index - radius);
    const at = (line: number[], place: number) => line[Math.min(49, Math.max(0, place))]!;
    const turned = (rows: number[][]) => rows[0]!.map((_, x) => rows.map((row) => row[x]!));
    for (let pass = 0; pass < 6; pass++) {
      field = field.map((row) =>
        row.map((_, x) => shares.reduce((sum, shift) => sum + at(row, x + shift), 0) / shares.length),
      );
      field = turned(field);
    }
    const after = smooth(mask, 4, 50, 50);
    const values = field.flat().sort((a, b) => b - a);
    const cut = Math.min(0.65, Math.max(0.2, values[mask.area - 1]!));
    for (let y = 0; y < 50; y++) {
      for (let x = 0; x < 50; x++) {
        // The cut is found to a four-thousandth.
        if (Math.abs(field[y]![x]! - cut) > 0.001) expect(after.get(x, y)).toBe(field[y]![x]! > cut ? 1 : 0);
      }
    }
  });

  it.each([1, 2, 3, 4, 5])("at strength %d evens a ragged border of full size and keeps the area", (strength) => {
    const mask = ragged();
    const after = smooth(mask, strength, WIDTH, HEIGHT);
    expect(Math.abs(after.area - mask.area)).toBeLessThan(0.02 * mask.area);
    expect(border(after)).toBeLessThan(0.8 * border(mask));
  });

  it("does more the stronger it is", () => {
    const spike = drawn(
      600,
      300,
      200,
      200,
      (x, y) => (x - 100) ** 2 + (y - 120) ** 2 < 70 ** 2 || (Math.abs(x - 100) < 6 && y > 20 && y < 120),
    );
    const tops = [1, 3, 5].map((strength) => smooth(spike, strength, WIDTH, HEIGHT).tight().y);
    expect(tops[0]).toBeLessThan(tops[1]!);
    expect(tops[1]).toBeLessThan(tops[2]!);
  });

  it.each([1, 2, 9, 30])("does not let an object of %d pixels vanish", (pixels) => {
    const mask = drawn(40, 40, pixels, 1, () => true);
    for (const strength of [1, 5]) {
      const after = smooth(mask, strength, WIDTH, HEIGHT);
      expect(after.area).toBeGreaterThanOrEqual(pixels / 2);
      expect(after.area).toBeLessThanOrEqual(Math.max(4, 2 * pixels));
    }
  });

  it("leaves a straight edge at the border of the image where it is", () => {
    const half = drawn(0, 0, 20, 40, () => true);
    expect(smooth(half, 3, 40, 40).equals(half)).toBe(true);
  });

  it("is done with an object of a quarter of the image in a moment", () => {
    const mask = drawn(100, 100, 1450, 625, (x, y) => (x + y) % 97 > 3);
    expect(Math.abs(smooth(mask, 5, WIDTH, HEIGHT).area - mask.area)).toBeLessThan(0.06 * mask.area);
  });
});
