/** A box of pixels: x <= column < x + width, y <= row < y + height. */
export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export const NOWHERE: Rect = { x: 0, y: 0, width: 0, height: 0 };

export function isEmpty(rect: Rect): boolean {
  return rect.width <= 0 || rect.height <= 0;
}

/** The smallest box around both. */
export function union(a: Rect, b: Rect): Rect {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  return {
    x,
    y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}

export function intersection(a: Rect, b: Rect): Rect {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const width = Math.min(a.x + a.width, b.x + b.width) - x;
  const height = Math.min(a.y + a.height, b.y + b.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : { x, y, width: 0, height: 0 };
}

export function contains(outer: Rect, inner: Rect): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

/** The part of `a` outside of `b`, as boxes that do not overlap. */
export function subtract(a: Rect, b: Rect): Rect[] {
  const common = intersection(a, b);
  if (isEmpty(common)) return isEmpty(a) ? [] : [a];
  const [right, bottom] = [common.x + common.width, common.y + common.height];
  return [
    { ...a, height: common.y - a.y },
    { ...a, y: bottom, height: a.y + a.height - bottom },
    { ...common, x: a.x, width: common.x - a.x },
    { ...common, x: right, width: a.x + a.width - right },
  ].filter((rect) => !isEmpty(rect));
}

/** Boxes that together cover `rects` and `next`; `next` is joined with the last one where their union is not larger. */
export function withRect(rects: readonly Rect[], next: Rect): Rect[] {
  const last = rects[rects.length - 1];
  if (last === undefined) return [next];
  const both = union(last, next);
  const area = ({ width, height }: Rect) => width * height;
  return area(both) <= area(last) + area(next) ? [...rects.slice(0, -1), both] : [...rects, next];
}
