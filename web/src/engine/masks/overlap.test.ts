import { expect, it } from "vitest";
import { seeded } from "../seeded_random.testing";
import { Bitmask, BoxMask } from "./mask";
import { sharedPixels } from "./overlap";

const [WIDTH, HEIGHT] = [90, 70];

it("counts the pixels of both masks, as pixel by pixel does", () => {
  const random = seeded(7);
  const some = (): Bitmask => {
    const [x, y] = [Math.floor(random() * 50), Math.floor(random() * 40)];
    const [width, height] = [Math.floor(random() * 40), Math.floor(random() * 30)];
    const bits = Uint8Array.from({ length: width * height }, () => (random() < 0.5 ? 1 : 0));
    return Bitmask.of(new BoxMask(x, y, width, height, bits), WIDTH, HEIGHT);
  };
  for (let round = 0; round < 50; round++) {
    const [a, b] = [some(), some()];
    let shared = 0;
    for (let y = 0; y < HEIGHT; y++) for (let x = 0; x < WIDTH; x++) shared += a.get(x, y) & b.get(x, y);
    expect(sharedPixels(a, b)).toBe(shared);
  }
});
