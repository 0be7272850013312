import type { Point } from "../geometry/point";
import type { Bitmask } from "./mask";

/** Where a mask is thickest. */
export interface Interior {
  at: Point;
  /** About how far the border is, in image pixels. */
  radius: number;
}

const GRID = 96;
const FAR = 1 << 20;
const [STRAIGHT, SLANTED] = [3, 4]; // chamfer distances, in thirds of a cell

/** Neighbouring cells that were visited before: their place from here, and their distance. */
type Neighbours = readonly (readonly [number, number])[];

/** The point of a mask that lies farthest from its border, on a grid of at most 96 cells a side; null for an empty mask. */
export function interiorOf(mask: Bitmask): Interior | null {
  const { x, y, width, height, bits } = mask.snapshot();
  if (width === 0) return null;
  const step = Math.max(1, Math.ceil(Math.max(width, height) / GRID));
  const [columns, rows] = [Math.ceil(width / step), Math.ceil(height / step)];
  const middle = (cell: number, size: number) => Math.min(size - 1, cell * step + (step >> 1));
  // With a border of nothing, so that the edge of the box is a border of the mask.
  const stride = columns + 2;
  const far = new Int32Array(stride * (rows + 2));
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (bits[middle(row, height) * width + middle(column, width)] !== 0) far[(row + 1) * stride + column + 1] = FAR;
    }
  }
  const [before, after]: [Neighbours, Neighbours] = [
    [
      [-1, STRAIGHT],
      [-stride, STRAIGHT],
      [-stride - 1, SLANTED],
      [-stride + 1, SLANTED],
    ],
    [
      [1, STRAIGHT],
      [stride, STRAIGHT],
      [stride + 1, SLANTED],
      [stride - 1, SLANTED],
    ],
  ];
  const relax = (at: number, near: Neighbours) => {
    if (far[at]! > 0) for (const [shift, cost] of near) far[at] = Math.min(far[at]!, far[at + shift]! + cost);
  };
  for (let at = stride; at < far.length - stride; at++) relax(at, before);
  let best = -1;
  for (let at = far.length - stride - 1; at >= stride; at--) {
    relax(at, after);
    if (far[at]! > 0 && (best < 0 || far[at]! > far[best]!)) best = at;
  }
  // Thinner than a cell and between the cells: any pixel of it.
  if (best < 0) {
    const first = bits.indexOf(1);
    return { at: [x + (first % width) + 0.5, y + Math.floor(first / width) + 0.5], radius: 0.5 };
  }
  const [row, column] = [Math.floor(best / stride) - 1, (best % stride) - 1];
  return {
    at: [x + middle(column, width) + 0.5, y + middle(row, height) + 0.5],
    radius: (far[best]! / STRAIGHT) * step,
  };
}
