import { union } from "../geometry/rect";
import { BoxMask } from "./mask";

/** The pixels in which two masks differ, in their smallest box; null when there are none. */
export function difference(a: BoxMask, b: BoxMask): BoxMask | null {
  const box = union(a, b);
  const bits = new Uint8Array(box.width * box.height);
  for (const mask of [a, b]) {
    for (let row = 0; row < mask.height; row++) {
      const target = (mask.y + row - box.y) * box.width + (mask.x - box.x);
      for (let column = 0; column < mask.width; column++)
        bits[target + column]! ^= mask.bits[row * mask.width + column]!;
    }
  }
  const tight = new BoxMask(box.x, box.y, box.width, box.height, bits).tight();
  return tight.width === 0 ? null : tight;
}
