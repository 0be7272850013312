/** One level of an image: each pixel the mean of 2^level x 2^level pixels. */
export interface Level {
  width: number;
  height: number;
  pixels: Uint8Array | Uint16Array;
}

const SMALLEST = 128;

/** The image and its halves, down to about 128 pixels, by the sizes that OpenGL expects of mipmaps. */
export function pyramidOf(pixels: Uint8Array | Uint16Array, width: number, height: number): Level[] {
  const levels: Level[] = [{ width, height, pixels }];
  for (let last = levels[0]!; Math.max(last.width, last.height) > SMALLEST; last = levels[levels.length - 1]!) {
    levels.push(halved(last));
  }
  return levels;
}

// A level is used a little before its pixels are as small as the screen's.
const EARLY = 0.25;

/** The level to draw from at `scale` device pixels per image pixel. */
export function levelFor(scale: number, levels: number): number {
  return Math.min(levels - 1, Math.max(0, Math.floor(-Math.log2(scale) + EARLY)));
}

function halved({ width, height, pixels }: Level): Level {
  const w = Math.max(1, width >> 1);
  const h = Math.max(1, height >> 1);
  const half = pixels instanceof Uint16Array ? new Uint16Array(w * h) : new Uint8Array(w * h);
  const right = width > 1 ? 1 : 0;
  const below = height > 1 ? width : 0;
  for (let y = 0; y < h; y++) {
    let source = 2 * y * width;
    for (let index = y * w; index < (y + 1) * w; index++, source += 2) {
      const sum =
        pixels[source]! + pixels[source + right]! + pixels[source + below]! + pixels[source + right + below]!;
      half[index] = (sum + 2) >> 2;
    }
  }
  return { width: w, height: h, pixels: half };
}
