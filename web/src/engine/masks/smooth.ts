import { BoxMask } from "./mask";

/** Widths of the blur for each step of strength, as a share of the square root of the object's area. */
const STEP = 0.02;
const PASSES = 3;

/**
 * `mask` with its outline smoothed: blurred by three box filters, about a Gaussian, and cut where it keeps its area. The
 * width goes by the object's size, so that a strength looks the same on a large image and on a small one, and a small
 * object does not vanish. Beyond the image the outermost pixels go on.
 */
export function smooth(mask: BoxMask, strength: number, imageWidth: number, imageHeight: number): BoxMask {
  const { area } = mask;
  if (area === 0) return mask;
  const radius = Math.max(1, Math.round(strength * STEP * Math.sqrt(area)));
  const room = PASSES * radius;
  const x0 = Math.max(0, mask.x - room);
  const y0 = Math.max(0, mask.y - room);
  const width = Math.min(imageWidth, mask.x + mask.width + room) - x0;
  const height = Math.min(imageHeight, mask.y + mask.height + room) - y0;
  if (width <= 0 || height <= 0) return mask;
  let field = new Float32Array(width * height);
  mask.eachRun((y, start, stop) => {
    if (y >= y0 && y < y0 + height)
      field.fill(1, (y - y0) * width + Math.max(0, start - x0), (y - y0) * width + Math.min(width, stop - x0));
  });
  for (let pass = 0; pass < PASSES; pass++) {
    field = blurred(field, width, height, radius, 1, width);
    field = blurred(field, height, width, radius, width, 1);
  }
  const cut = cutFor(field, area);
  const bits = new Uint8Array(field.length);
  for (let index = 0; index < field.length; index++) bits[index] = field[index]! > cut ? 1 : 0;
  const smoothed = new BoxMask(x0, y0, width, height, bits);
  return smoothed.area === 0 ? mask : smoothed;
}

/** The mean of 2 * radius + 1 values along each of `lines` lines; the last value goes on beyond the end. */
function blurred(
  field: Float32Array<ArrayBuffer>,
  length: number,
  lines: number,
  radius: number,
  step: number,
  stride: number,
): Float32Array<ArrayBuffer> {
  const found = new Float32Array(field.length);
  const share = 1 / (2 * radius + 1);
  for (let line = 0; line < lines; line++) {
    const first = line * stride;
    const at = (place: number) => field[first + Math.min(length - 1, Math.max(0, place)) * step]!;
    let sum = 0;
    for (let place = -radius; place <= radius; place++) sum += at(place);
    for (let place = 0; place < length; place++) {
      found[first + place * step] = sum * share;
      sum += at(place + radius + 1) - at(place - radius);
    }
  }
  return found;
}

/** The value above which as many pixels lie as the area has, as nearly as can be, but never far from a half. */
function cutFor(field: Float32Array, area: number): number {
  const BINS = 4096;
  const counts = new Uint32Array(BINS + 1);
  for (const value of field) counts[Math.min(BINS, Math.max(0, Math.floor(value * BINS)))]!++;
  let above = 0;
  let bin = BINS + 1;
  while (bin > 0 && above < area) above += counts[--bin]!;
  // Of the two cuts around the area the nearer one: many pixels may have the same value.
  if (area - (above - counts[bin]!) <= above - area && above > counts[bin]!) bin++;
  return Math.min(0.65, Math.max(0.2, bin / BINS));
}
