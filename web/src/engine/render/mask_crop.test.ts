import { describe, expect, it } from "vitest";

import type { CaseImage } from "../case_image";
import { BoxMask } from "../masks/mask";
import { cropOf, drawCrop } from "./mask_crop";

const LEVELS = { low: 0, high: 255, gamma: 1, invert: false };

function square(x: number, y: number, side: number): BoxMask {
  return new BoxMask(x, y, side, side, new Uint8Array(side * side).fill(1));
}

/** Each pixel as bright as its column. */
function ramp(width: number, height: number): CaseImage {
  const pixels = Uint8Array.from({ length: width * height }, (_, index) => index % width);
  return { width, height, bits: 8, pixels, low: 0, high: 255 };
}

describe("the crop around two versions", () => {
  it("holds both in its middle and has the shape of the canvas", () => {
    const crop = cropOf([square(100, 100, 40), square(160, 110, 40), BoxMask.empty()], 300, 200);
    expect(crop.width / crop.height).toBeCloseTo(1.5);
    expect([crop.x + crop.width / 2, crop.y + crop.height / 2]).toEqual([150, 125]);
    expect(crop.x).toBeLessThan(100);
    expect(crop.x + crop.width).toBeGreaterThan(200);
  });

  it("shows the surroundings of a tiny object", () => {
    expect(cropOf([square(10, 10, 1)], 300, 200).height).toBe(48);
  });
});

it("one version is drawn over the X-ray, of the other its outline, and nothing outside the image", () => {
  const drawn = drawCrop({
    image: ramp(200, 100),
    levels: LEVELS,
    crop: { x: -10, y: 0, width: 100, height: 60 },
    width: 100,
    height: 60,
    mask: square(20, 10, 21),
    other: square(60, 10, 21),
  });
  const colour = (x: number, y: number) => [...drawn.slice((y * 100 + x + 10) * 4, (y * 100 + x + 10) * 4 + 3)];
  expect(colour(50, 50)).toEqual([50, 50, 50]);
  expect(colour(20, 15)).toEqual([86, 180, 233]);
  expect(colour(30, 20)).toEqual(
    [30 + 0.3 * (86 - 30), 30 + 0.3 * (180 - 30), 30 + 0.3 * (233 - 30)].map(Math.round),
  );
  expect(colour(60, 15)).toEqual([255, 255, 255]);
  expect(colour(70, 20)).toEqual([70, 70, 70]);
  expect(colour(-5, 5)).toEqual([11, 14, 18]);
});
