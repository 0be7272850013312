import type { CaseImage } from "../case_image";
import type { Rect } from "../geometry/rect";
import type { BoxMask } from "../masks/mask";
import { type Levels, lookupTable } from "./levels";

/** Room left around the masks, as a share of their size. */
const MARGIN_SHARE = 0.6;
type RGB = readonly [number, number, number];

const MIN_SIDE = 48;
const FILL = 0.3;
const COLOUR: RGB = [86, 180, 233];
const OUTLINE = [255, 255, 255];
const BACKGROUND = [11, 14, 18];

/** The part of the image, of the shape width : height, in which all of these masks lie with room around them. */
export function cropOf(masks: readonly BoxMask[], width: number, height: number, margin = MARGIN_SHARE): Rect {
  const drawn = masks.filter((mask) => mask.width > 0);
  const least = (values: number[]) => (values.length > 0 ? Math.min(...values) : 0);
  const x = least(drawn.map((mask) => mask.x));
  const y = least(drawn.map((mask) => mask.y));
  const box = {
    width: -least(drawn.map((mask) => -mask.x - mask.width)) - x,
    height: -least(drawn.map((mask) => -mask.y - mask.height)) - y,
  };
  const scale = Math.max(
    (box.width * (1 + margin)) / width,
    (box.height * (1 + margin)) / height,
    MIN_SIDE / Math.min(width, height),
  );
  const [wide, high] = [width * scale, height * scale];
  return { x: x + box.width / 2 - wide / 2, y: y + box.height / 2 - high / 2, width: wide, height: high };
}

interface Drawn {
  image: CaseImage | null;
  levels: Levels;
  crop: Rect;
  width: number;
  height: number;
  /** Filled and outlined. */
  mask: BoxMask | null;
  colour?: RGB;
  /** Outlined in white. */
  other?: BoxMask | null;
}

/** The X-ray within `crop` with one mask over it and the outline of another; RGBA, row-major. */
export function drawCrop({
  image,
  levels,
  crop,
  width,
  height,
  mask,
  colour: own = COLOUR,
  other = null,
}: Drawn): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(width * height * 4);
  const table = image === null ? null : lookupTable(levels, image.bits);
  const at = (column: number, row: number): [number, number] => [
    Math.floor(crop.x + ((column + 0.5) * crop.width) / width),
    Math.floor(crop.y + ((row + 0.5) * crop.height) / height),
  ];
  const within = (one: BoxMask | null, column: number, row: number) =>
    one !== null && one.get(...at(column, row)) === 1;
  const onEdge = (one: BoxMask | null, column: number, row: number) =>
    within(one, column, row) &&
    !(
      within(one, column - 1, row) &&
      within(one, column + 1, row) &&
      within(one, column, row - 1) &&
      within(one, column, row + 1)
    );
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [x, y] = at(column, row);
      const there = image !== null && x >= 0 && y >= 0 && x < image.width && y < image.height;
      const grey = there && table !== null ? table[image.pixels[y * image.width + x]!]! : null;
      let colour: readonly number[] = grey === null ? BACKGROUND : [grey, grey, grey];
      if (onEdge(mask, column, row)) colour = own;
      else if (onEdge(other, column, row)) colour = OUTLINE;
      else if (within(mask, column, row)) colour = colour.map((value, part) => value + FILL * (own[part]! - value));
      pixels.set([...colour, 255], (row * width + column) * 4);
    }
  }
  return pixels;
}
