import { intersection, isEmpty } from "../geometry/rect";
import type { Bitmask } from "./mask";

/** How many pixels are 1 in both masks of one image. */
export function sharedPixels(a: Bitmask, b: Bitmask): number {
  const common = intersection(a.box, b.box);
  if (isEmpty(common)) return 0;
  let shared = 0;
  for (let y = common.y; y < common.y + common.height; y++) {
    const first = (y - a.box.y) * a.box.width + common.x - a.box.x;
    const second = (y - b.box.y) * b.box.width + common.x - b.box.x;
    for (let column = 0; column < common.width; column++)
      shared += a.bits[first + column]! & b.bits[second + column]!;
  }
  return shared;
}
