import { describe, expect, it } from "vitest";
import { seeded } from "../seeded_random.testing";
import { BoxMask } from "./mask";
import { decodeRuns, eachRun, encodeRuns, fromRuns, MaskError, toRuns } from "./rle";

describe("run lengths", () => {
  it("encode by the book", () => {
    expect([...encodeRuns(Uint8Array.of(0, 0, 1, 0))]).toEqual([2, 1, 1]);
    expect([...encodeRuns(Uint8Array.of(1, 1, 0))]).toEqual([0, 2, 1]);
    expect([...encodeRuns(new Uint8Array(300))]).toEqual([0xac, 0x02]);
    expect([...encodeRuns(new Uint8Array(16384).fill(1))]).toEqual([0, 0x80, 0x80, 0x01]);
    expect(encodeRuns(new Uint8Array(0))).toHaveLength(0);
  });

  it("come back as the same bits", () => {
    const random = seeded(1);
    for (let round = 0; round < 200; round++) {
      const width = 1 + Math.floor(random() * 60);
      const height = 1 + Math.floor(random() * 60);
      const share = random();
      const bits = Uint8Array.from({ length: width * height }, () => (random() < share ? 1 : 0));
      const mask = new BoxMask(3, 5, width, height, bits);
      expect(fromRuns(3, 5, width, height, toRuns(mask)).equals(mask)).toBe(true);
      const rows = new Uint8Array(bits.length);
      eachRun(toRuns(mask), width, (y, x0, x1) => rows.fill(1, y * width + x0, y * width + x1));
      expect(new BoxMask(3, 5, width, height, rows).equals(mask)).toBe(true);
    }
  });

  it.each([
    ["too few pixels", [3], 2, 2],
    ["too many pixels", [3, 2], 2, 2],
    ["a cut number", [0x84], 2, 2],
    ["an endless number", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80], 2, 2],
    ["a run of nothing", [2, 0, 2], 2, 2],
    ["nothing", [], 2, 2],
    ["bytes for an empty mask", [0], 0, 0],
    ["a box of no height", [], 4, 0],
    ["a negative side", [], -1, 0],
    ["a fraction", [1], 0.5, 2],
    ["a vast box", [1], 1e6, 1e6],
  ])("refuse %s", (_, bytes, width, height) => {
    expect(() => decodeRuns(Uint8Array.from(bytes), width, height)).toThrow(MaskError);
  });

  it("refuse a place outside of the image", () => {
    expect(() => fromRuns(-1, 0, 1, 1, Uint8Array.of(1))).toThrow(MaskError);
  });
});
