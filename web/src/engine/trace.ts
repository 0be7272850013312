import type { Bitmask } from "./mask";
import { intersection, isEmpty, type Rect } from "./rect";
import type { ViewState } from "./view";

/** What a device pixel shows of a mask. */
export const OUTSIDE = 0;
export const INSIDE = 1;
export const EDGE = 2;

/**
 * What each device pixel of `part` shows of a mask, row by row: the pixel of the image that lies under its centre, and
 * whether that belongs to the outline: it is within the mask, and of eight points `outlineWidth` away one is not. The
 * same rule as in the shader (`MASK`).
 */
export function trace(mask: Bitmask, view: ViewState, part: Rect, outlineWidth: number): Uint8Array {
  const found = new Uint8Array(part.width * part.height);
  const scale = view.zoom * view.dpr;
  const reach = outlineWidth / view.zoom;
  const [left, top] = [(part.x + 0.5 - view.x * view.dpr) / scale, (part.y + 0.5 - view.y * view.dpr) / scale];
  const x = Math.floor(left - reach);
  const y = Math.floor(top - reach);
  const right = Math.ceil(left + part.width / scale + reach);
  const bottom = Math.ceil(top + part.height / scale + reach);
  const region = intersection({ x, y, width: right - x, height: bottom - y }, mask.box);
  if (isEmpty(region)) return found;
  // With a border of zeros that stands for everything beyond, so that no look-up needs a question.
  const stride = region.width + 2;
  const bits = bordered(mask, region);
  const slant = reach * Math.SQRT1_2;
  const shifts = [0, reach, -reach, slant, -slant];
  const columns = shifts.map((shift) =>
    places(part.x + 0.5 - view.x * view.dpr, part.width, scale, shift, region.x, region.width, 1),
  );
  const rows = shifts.map((shift) =>
    places(part.y + 0.5 - view.y * view.dpr, part.height, scale, shift, region.y, region.height, stride),
  );
  const [middle, east, west, southEast, southWest] = columns;
  for (let row = 0; row < part.height; row++) {
    const start = row * part.width;
    // Magnified, most rows are the one above once more.
    if (row > 0 && rows.every((places) => places[row] === places[row - 1])) {
      found.copyWithin(start, start - part.width, start);
      continue;
    }
    const [here, south, north, below, above] = rows.map((places) => places[row]);
    for (let column = 0; column < part.width; column++) {
      const x = middle[column];
      if (bits[here + x] === 0) continue;
      const deep =
        bits[here + east[column]] & bits[here + west[column]] & bits[south + x] & bits[north + x] &&
        bits[below + southEast[column]] & bits[below + southWest[column]] &
        bits[above + southEast[column]] & bits[above + southWest[column]];
      found[start + column] = deep === 1 ? INSIDE : EDGE;
    }
  }
  return found;
}

/** Where in the bordered bits of `size` pixels from `start` on each device pixel has its own, `shift` image pixels away. */
function places(
  first: number,
  count: number,
  scale: number,
  shift: number,
  start: number,
  size: number,
  stride: number,
): Int32Array {
  const found = new Int32Array(count);
  for (let index = 0; index < count; index++) {
    const place = Math.floor((first + index) / scale + shift) - start;
    found[index] = (Math.min(size, Math.max(-1, place)) + 1) * stride;
  }
  return found;
}

function bordered(mask: Bitmask, region: Rect): Uint8Array {
  const stride = region.width + 2;
  const bits = new Uint8Array(stride * (region.height + 2));
  for (let row = 0; row < region.height; row++) {
    const source = (region.y + row - mask.box.y) * mask.box.width + (region.x - mask.box.x);
    bits.set(mask.bits.subarray(source, source + region.width), (row + 1) * stride + 1);
  }
  return bits;
}
