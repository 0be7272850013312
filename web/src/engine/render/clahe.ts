import type { CaseImage } from "../case_image";

export interface Equalisation {
  /** How much a histogram bin may exceed the mean one, 1 (hardly any change) to about 8. */
  clip: number;
  /** Tiles along the longer side, 2..32. */
  tiles: number;
}

const BINS = 1024;

/**
 * Contrast-limited adaptive histogram equalisation (Zuiderveld 1994) of the image, for display only. Values are
 * spread over the image's own display window, so the same levels fit the result. Done in slices: each `next` works on a few
 * rows of pixels, the last returns the image.
 */
export function* equalise(
  image: CaseImage,
  { clip, tiles }: Equalisation,
): Generator<void, Uint8Array | Uint16Array> {
  const { width, height, pixels, low } = image;
  const high = Math.max(low + 1, image.high);
  const side = Math.max(1, Math.ceil(Math.max(width, height) / Math.min(32, Math.max(2, Math.round(tiles)))));
  const columns = Math.ceil(width / side);
  const rows = Math.ceil(height / side);
  const binOf = binTable(image.bits, low, high);
  const maps = new Float32Array(columns * rows * BINS);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const histogram = new Float64Array(BINS);
      const right = Math.min(width, (column + 1) * side);
      const bottom = Math.min(height, (row + 1) * side);
      for (let y = row * side; y < bottom; y++) {
        for (let index = y * width + column * side; index < y * width + right; index++)
          histogram[binOf[pixels[index]!]!]!++;
      }
      limit(histogram, clip);
      let sum = 0;
      const total = histogram.reduce((a, b) => a + b, 0);
      const start = (row * columns + column) * BINS;
      for (let bin = 0; bin < BINS; bin++) {
        sum += histogram[bin]!;
        maps[start + bin] = low + ((sum - histogram[bin]! / 2) / total) * (high - low);
      }
      yield;
    }
  }
  const result = image.bits === 16 ? new Uint16Array(pixels.length) : new Uint8Array(pixels.length);
  const [lefts, rights] = [new Int32Array(width), new Int32Array(width)];
  const weights = new Float32Array(width);
  for (let x = 0; x < width; x++) {
    const [left, right, weight] = between(x, side, columns);
    lefts[x] = left * BINS;
    rights[x] = right * BINS;
    weights[x] = weight;
  }
  for (let y = 0; y < height; y++) {
    const [above, below, weight] = between(y, side, rows);
    const [upper, lower] = [above * columns * BINS, below * columns * BINS];
    for (let x = 0, index = y * width; x < width; x++, index++) {
      const bin = binOf[pixels[index]!]!;
      const [left, right] = [lefts[x]! + bin, rights[x]! + bin];
      const over = mix(maps[upper + left]!, maps[upper + right]!, weights[x]!);
      const under = mix(maps[lower + left]!, maps[lower + right]!, weights[x]!);
      result[index] = Math.round(mix(over, under, weight));
    }
    if (y % 16 === 15) yield;
  }
  return result;
}

/** Runs the slices between frames. Rejects when the signal is aborted. */
export async function equaliseInSlices(
  image: CaseImage,
  settings: Equalisation,
  signal: AbortSignal,
): Promise<Uint8Array | Uint16Array> {
  const work = equalise(image, settings);
  for (;;) {
    const pause = performance.now() + 8;
    while (performance.now() < pause) {
      const step = work.next();
      if (step.done === true) return step.value;
    }
    await new Promise((resolve) => setTimeout(resolve));
    signal.throwIfAborted();
  }
}

function binTable(bits: 8 | 16, low: number, high: number): Uint16Array {
  const table = new Uint16Array(bits === 8 ? 256 : 65536);
  for (let value = 0; value < table.length; value++) {
    const share = (value - low) / (high - low);
    table[value] = Math.min(BINS - 1, Math.max(0, Math.floor(share * BINS)));
  }
  return table;
}

// What is clipped is spread over all bins evenly, as in Zuiderveld's first pass.
function limit(histogram: Float64Array, clip: number): void {
  const total = histogram.reduce((a, b) => a + b, 0);
  const used = histogram.reduce((count, value) => count + (value > 0 ? 1 : 0), 0);
  const most = Math.max(1, (Math.max(1, clip) * total) / Math.max(1, used));
  let excess = 0;
  for (let bin = 0; bin < BINS; bin++) {
    if (histogram[bin]! <= most) continue;
    excess += histogram[bin]! - most;
    histogram[bin] = most;
  }
  for (let bin = 0; bin < BINS; bin++) histogram[bin]! += excess / BINS;
}

function between(place: number, side: number, count: number): [number, number, number] {
  const position = (place + 0.5) / side - 0.5;
  const first = Math.floor(position);
  const clamp = (tile: number) => Math.min(count - 1, Math.max(0, tile));
  return [clamp(first), clamp(first + 1), position - first];
}

function mix(a: number, b: number, weight: number): number {
  return a + (b - a) * weight;
}
