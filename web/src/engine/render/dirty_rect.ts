import { intersection, isEmpty, NOWHERE, type Rect, union } from "../geometry/rect";
import type { ViewState } from "../geometry/view";

/** The device pixels that show `rect` of the image, and `margin` more on each side. */
export function onCanvas(rect: Rect, view: ViewState, margin: number): Rect {
  const scale = view.zoom * view.dpr;
  const x = Math.floor(rect.x * scale + view.x * view.dpr) - margin;
  const y = Math.floor(rect.y * scale + view.y * view.dpr) - margin;
  const right = Math.ceil((rect.x + rect.width) * scale + view.x * view.dpr) + margin;
  const bottom = Math.ceil((rect.y + rect.height) * scale + view.y * view.dpr) + margin;
  return { x, y, width: right - x, height: bottom - y };
}

/** Which part of a canvas is out of date. */
export class DirtyRect {
  private rect: Rect = NOWHERE;
  private whole = true;

  add(rect: Rect): void {
    this.rect = union(this.rect, rect);
  }

  all(): void {
    this.whole = true;
  }

  /** Returns the part to draw and marks it as drawn; null when nothing changed. */
  take(width: number, height: number): Rect | null {
    const canvas = { x: 0, y: 0, width, height };
    const part = this.whole ? canvas : intersection(this.rect, canvas);
    this.rect = NOWHERE;
    this.whole = false;
    return isEmpty(part) ? null : part;
  }
}
