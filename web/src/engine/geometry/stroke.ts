import type { Point } from "./point";
import { intersection, isEmpty, NOWHERE, type Rect, union } from "./rect";

export type BrushShape = "round" | "square";

export const MIN_BRUSH = 1;
export const MAX_BRUSH = 400;

// Moves a square whose edges lie exactly on pixel centres, so that of two edges one counts: a side of n is n pixels.
const TIE = 1 / 4096;

/** Receives the pixels x0 <= x < x1 of row y, within the image. */
export type SpanPainter = (y: number, x0: number, x1: number) => void;

/** Where a stroke's pixels go. */
export interface StrokeSink {
  /** The box of the spans that follow. */
  prepare(rect: Rect): void;
  span(y: number, x0: number, x1: number): void;
}

/**
 * The pixels of a brush moved from `a` to `b`: those whose centre lies within the round brush (a capsule) or within
 * the square one (a swept axis-aligned square). Both are convex, so a row has one span.
 */
export function sweep(shape: BrushShape, size: number, a: Point, b: Point, clip: Rect, paint: SpanPainter): void {
  const [from, to] = [placed(shape, size, a), placed(shape, size, b)];
  const half = size / 2;
  const box = intersection(bounds(from, to, half), clip);
  for (let y = box.y; y < box.y + box.height; y++) {
    const range = shape === "round" ? capsuleRow(from, to, half, y + 0.5) : squareRow(from, to, half, y + 0.5);
    if (range === null) continue;
    const x0 = Math.max(clip.x, Math.ceil(range[0] - 0.5));
    const x1 = Math.min(clip.x + clip.width, Math.floor(range[1] - 0.5) + 1);
    if (x0 < x1) paint(y, x0, x1);
  }
}

/** The box of pixels that `sweep` may reach. */
export function sweptBox(shape: BrushShape, size: number, a: Point, b: Point, clip: Rect): Rect {
  return intersection(bounds(placed(shape, size, a), placed(shape, size, b), size / 2), clip);
}

/** Rasterises a brush stroke: points come in, spans go to the sink, and each point costs only its own segment. */
export class StrokePainter {
  readonly points: [number, number][] = [];
  /** Pixels visited so far. */
  visited = 0;
  private readonly clip: Rect;

  constructor(
    width: number,
    height: number,
    readonly shape: BrushShape,
    readonly size: number,
    private readonly sink: StrokeSink,
  ) {
    this.clip = { x: 0, y: 0, width, height };
  }

  /** Continues to the next points; the first one is a single dab. Returns the box of what was painted. */
  extend(points: readonly Point[]): Rect {
    let dirty = NOWHERE;
    for (const point of points) dirty = union(dirty, this.segment(point));
    return dirty;
  }

  private segment(point: Point): Rect {
    const last = this.points[this.points.length - 1] ?? point;
    const box = sweptBox(this.shape, this.size, last, point, this.clip);
    this.points.push([point[0], point[1]]);
    if (isEmpty(box)) return NOWHERE;
    this.sink.prepare(box);
    sweep(this.shape, this.size, last, point, this.clip, (y, x0, x1) => {
      this.visited += x1 - x0;
      this.sink.span(y, x0, x1);
    });
    return box;
  }
}

// A brush smaller than a pixel's diagonal could fall between the centres; it paints the pixel it points at.
function placed(shape: BrushShape, size: number, point: Point): Point {
  if (size < Math.SQRT2) return [Math.floor(point[0]) + 0.5, Math.floor(point[1]) + 0.5];
  return shape === "square" ? [point[0] + TIE, point[1] + TIE] : point;
}

function bounds(a: Point, b: Point, half: number): Rect {
  const x = Math.floor(Math.min(a[0], b[0]) - half);
  const y = Math.floor(Math.min(a[1], b[1]) - half);
  return {
    x,
    y,
    width: Math.ceil(Math.max(a[0], b[0]) + half) - x + 1,
    height: Math.ceil(Math.max(a[1], b[1]) + half) - y + 1,
  };
}

type Range = [number, number];

function capsuleRow(a: Point, b: Point, radius: number, y: number): Range | null {
  let low = Infinity;
  let high = -Infinity;
  for (const end of [a, b]) {
    const reach = radius * radius - (y - end[1]) ** 2;
    if (reach < 0) continue;
    const half = Math.sqrt(reach);
    low = Math.min(low, end[0] - half);
    high = Math.max(high, end[0] + half);
  }
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
  if (length > 0) {
    const nx = (-(b[1] - a[1]) / length) * radius;
    const ny = ((b[0] - a[0]) / length) * radius;
    const corners: Point[] = [
      [a[0] + nx, a[1] + ny],
      [b[0] + nx, b[1] + ny],
      [b[0] - nx, b[1] - ny],
      [a[0] - nx, a[1] - ny],
    ];
    for (let side = 0; side < 4; side++) {
      const [p, q] = [corners[side]!, corners[(side + 1) % 4]!];
      if (p[1] === q[1] || y < Math.min(p[1], q[1]) || y > Math.max(p[1], q[1])) continue;
      const x = p[0] + ((y - p[1]) / (q[1] - p[1])) * (q[0] - p[0]);
      low = Math.min(low, x);
      high = Math.max(high, x);
    }
  }
  return low <= high ? [low, high] : null;
}

function squareRow(a: Point, b: Point, half: number, y: number): Range | null {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  let [start, stop] = [0, 1]; // the part of the way on which the row lies within the square
  if (dy === 0) {
    if (Math.abs(y - a[1]) > half) return null;
  } else {
    const [first, second] = [(y - half - a[1]) / dy, (y + half - a[1]) / dy];
    start = Math.max(0, Math.min(first, second));
    stop = Math.min(1, Math.max(first, second));
    if (start > stop) return null;
  }
  const [p, q] = [a[0] + start * dx, a[0] + stop * dx];
  return [Math.min(p, q) - half, Math.max(p, q) + half];
}
