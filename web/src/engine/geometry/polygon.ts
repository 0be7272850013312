import type { Point } from "./point";
import type { Rect } from "./rect";
import type { SpanPainter } from "./stroke";

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
      const [ax, ay] = points[index]!;
      const [bx, by] = points[(index + 1) % points.length]!;
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
