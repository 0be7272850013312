import { describe, expect, it } from "vitest";
import type { Point } from "../geometry/point";
import { fillPolygon } from "../geometry/polygon";
import { seeded } from "../seeded_random.testing";
import { BoxMask } from "./mask";
import { dropIslands, fillHoles } from "./region";

function maskOf(rows: string[], x = 0, y = 0): BoxMask {
  return new BoxMask(
    x,
    y,
    rows[0]!.length,
    rows.length,
    Uint8Array.from(rows.join(""), (sign) => (sign === "#" ? 1 : 0)),
  );
}

function randomMask(random: () => number, share: number): BoxMask {
  const [width, height] = [1 + Math.floor(random() * 24), 1 + Math.floor(random() * 24)];
  return new BoxMask(
    4,
    4,
    width,
    height,
    Uint8Array.from({ length: width * height }, () => (random() < share ? 1 : 0)),
  );
}

/** Groups of the pixels of one value, found by spreading the least index until nothing changes. */
function groups(mask: BoxMask, value: 0 | 1, diagonal: boolean): Int32Array {
  const { width, height, bits } = mask;
  const label = Int32Array.from(bits, (bit, index) => (bit === value ? index : -1));
  for (let changed = true; changed; ) {
    changed = false;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const here = y * width + x;
        if (label[here]! < 0) continue;
        for (let dy = -1; dy <= 1; dy++) {
          for (let dx = -1; dx <= 1; dx++) {
            if (!diagonal && dx !== 0 && dy !== 0) continue;
            if (x + dx < 0 || y + dy < 0 || x + dx >= width || y + dy >= height) continue;
            const near = label[here + dy * width + dx]!;
            if (near >= 0 && near < label[here]!) {
              label[here] = near;
              changed = true;
            }
          }
        }
      }
    }
  }
  return label;
}

describe("filling holes", () => {
  it("fills what is shut in and leaves a bay open", () => {
    const mask = maskOf(["#####.", "#.#...", "#####.", "......"]);
    expect(fillHoles(mask)).toEqual(maskOf(["#####.", "###...", "#####.", "......"]));
    expect(fillHoles(maskOf(["####", "#..#", "#.##", "###."]))).toEqual(maskOf(["####", "####", "####", "###."]));
  });

  it("agrees with a search by definition", () => {
    const random = seeded(8);
    for (let round = 0; round < 60; round++) {
      const mask = randomMask(random, 0.4 + 0.4 * random());
      const label = groups(mask, 0, false);
      const open = new Set<number>();
      for (let y = 0; y < mask.height; y++) {
        for (let x = 0; x < mask.width; x++) {
          const border = x === 0 || y === 0 || x === mask.width - 1 || y === mask.height - 1;
          if (border) open.add(label[y * mask.width + x]!);
        }
      }
      const expected = Uint8Array.from(mask.bits, (bit, index) => (bit === 1 || !open.has(label[index]!) ? 1 : 0));
      expect([...fillHoles(mask).bits]).toEqual([...expected]);
    }
  });
});

describe("dropping islands", () => {
  it("agrees with a search by definition", () => {
    const random = seeded(9);
    for (let round = 0; round < 60; round++) {
      const mask = randomMask(random, 0.1 + 0.4 * random());
      if (mask.area === 0) continue;
      const label = groups(mask, 1, true);
      const areas = new Map<number, number>();
      for (const part of label) if (part >= 0) areas.set(part, (areas.get(part) ?? 0) + 1);
      const least = 1 + Math.floor(random() * 5);
      const large = Uint8Array.from(label, (part) => (part >= 0 && (areas.get(part) ?? 0) >= least ? 1 : 0));
      expect([...dropIslands(mask, least).bits]).toEqual([...large]);
      const most = Math.max(...areas.values());
      const first = [...areas].sort((a, b) => a[0] - b[0]).find(([, area]) => area === most)?.[0];
      expect([...dropIslands(mask).bits]).toEqual([...label].map((part) => (part === first ? 1 : 0)));
    }
  });
});

describe("a lasso", () => {
  it("holds the pixels whose centre it winds around", () => {
    const random = seeded(12);
    const clip = { x: 0, y: 0, width: 40, height: 30 };
    for (let round = 0; round < 60; round++) {
      const points = Array.from({ length: 3 + (round % 6) }, (): Point => [random() * 50 - 5, random() * 40 - 5]);
      const bits = new Uint8Array(40 * 30);
      fillPolygon(points, clip, (y, x0, x1) => {
        for (let x = x0; x < x1; x++) bits[y * 40 + x]!++;
      });
      for (let y = 0; y < 30; y++) {
        for (let x = 0; x < 40; x++) {
          // The angle that the line turns by around the centre: a whole number of turns.
          const angles = points.map(([px, py]) => Math.atan2(py - y - 0.5, px - x - 0.5));
          const turns = angles.reduce((sum, angle, index) => {
            const step = angles[(index + 1) % angles.length]! - angle;
            return sum + step - 2 * Math.PI * Math.round(step / (2 * Math.PI));
          }, 0);
          const inside = Math.round(turns / (2 * Math.PI)) !== 0 ? 1 : 0;
          if (bits[y * 40 + x] !== inside) expect({ points, x, y }).toBe("as wound");
        }
      }
    }
  });
});
