import { BoxMask } from "./mask";
import type { Rect } from "./rect";
import type { SpanPainter } from "./stroke";
import type { Point } from "./types";

/** `mask` with every hole (zeros that no 4-connected path joins to the outside) filled. */
export function fillHoles(mask: BoxMask): BoxMask {
  const { width, height, bits } = mask;
  const outside = new Uint8Array(bits.length);
  const stack: number[] = [];
  const visit = (index: number): void => {
    if (bits[index] === 0 && outside[index] === 0) {
      outside[index] = 1;
      stack.push(index);
    }
  };
  for (let x = 0; x < width; x++) {
    visit(x);
    visit((height - 1) * width + x);
  }
  for (let y = 0; y < height; y++) {
    visit(y * width);
    visit(y * width + width - 1);
  }
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    const x = index % width;
    if (x > 0) visit(index - 1);
    if (x < width - 1) visit(index + 1);
    if (index >= width) visit(index - width);
    if (index < bits.length - width) visit(index + width);
  }
  return new BoxMask(mask.x, mask.y, width, height, outside.map((out) => out ^ 1));
}

/**
 * `mask` without its small 8-connected parts: those of fewer than `smallest` pixels, or, without that number, all
 * but the largest (the upper left of equals).
 */
export function dropIslands(mask: BoxMask, smallest?: number): BoxMask {
  const { width, height, bits } = mask;
  const label = new Int32Array(bits.length);
  const areas: number[] = [0];
  const stack: number[] = [];
  for (let seed = 0; seed < bits.length; seed++) {
    if (bits[seed] === 0 || label[seed] !== 0) continue;
    const part = areas.length;
    let area = 0;
    label[seed] = part;
    stack.push(seed);
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      area++;
      const x = index % width;
      const y = (index - x) / width;
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const near = ny * width + nx;
          if (bits[near] === 1 && label[near] === 0) {
            label[near] = part;
            stack.push(near);
          }
        }
      }
    }
    areas.push(area);
  }
  const largest = areas.indexOf(Math.max(...areas.slice(1)), 1);
  const kept = areas.map((area, part) => part > 0 && (smallest === undefined ? part === largest : area >= smallest));
  const left = new Uint8Array(bits.length);
  for (let index = 0; index < left.length; index++) left[index] = kept[label[index]] ? 1 : 0;
  return new BoxMask(mask.x, mask.y, width, height, left);
}

/** The box of pixels that `fillPolygon` may reach. */
export function polygonBox(points: readonly Point[], clip: Rect): Rect {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  const x0 = Math.max(clip.x, Math.floor(left));
  const y0 = Math.max(clip.y, Math.floor(top));
  const x1 = Math.min(clip.x + clip.width, Math.ceil(right) + 1);
  const y1 = Math.min(clip.y + clip.height, Math.ceil(bottom) + 1);
  return x1 > x0 && y1 > y0 ? { x: x0, y: y0, width: x1 - x0, height: y1 - y0 } : { x: 0, y: 0, width: 0, height: 0 };
}

/** The pixels whose centre the closed polygon winds around (nonzero rule: a loop drawn over itself stays filled). */
export function fillPolygon(points: readonly Point[], clip: Rect, paint: SpanPainter): void {
  const box = polygonBox(points, clip);
  for (let row = box.y; row < box.y + box.height; row++) {
    const y = row + 0.5;
    const crossings: { x: number; turn: number }[] = [];
    for (let index = 0; index < points.length; index++) {
      const [ax, ay] = points[index];
      const [bx, by] = points[(index + 1) % points.length];
      if (ay <= y === by <= y) continue;
      crossings.push({ x: ax + ((y - ay) / (by - ay)) * (bx - ax), turn: ay < by ? 1 : -1 });
    }
    crossings.sort((a, b) => a.x - b.x);
    let winding = 0;
    let start = 0;
    for (const { x, turn } of crossings) {
      if (winding === 0) start = x;
      winding += turn;
      if (winding !== 0) continue;
      const x0 = Math.max(clip.x, Math.ceil(start - 0.5));
      const x1 = Math.min(clip.x + clip.width, Math.ceil(x - 0.5));
      if (x0 < x1) paint(row, x0, x1);
    }
  }
}
