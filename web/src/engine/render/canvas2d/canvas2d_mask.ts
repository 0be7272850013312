import { intersection, isEmpty, type Rect, subtract, withRect } from "../../geometry/rect";
import type { ViewState } from "../../geometry/view";
import type { Bitmask } from "../../masks/mask";
import { rgbOf } from "../../palette";
import { onCanvas } from "../dirty_rect";
import type { MaskStyle } from "../renderer";
import { OVERHANG } from "../renderer";
import { type Surface, surface } from "./offscreen_canvas";
import { trace } from "./trace";

/** Objects of up to so many device pixels are kept whole; of larger ones only the visible part. */
const MAX_WHOLE_PIXELS = 2_000_000;

/** Inside and outline of an object on the canvas, and what they were traced for. */
interface Kept {
  inside: Surface;
  edge: Surface;
  /** Device pixels of the canvas in `view`. */
  part: Rect;
  view: ViewState;
  colour: string;
  outlineWidth: number;
  rim: number;
  dash: number;
}

/**
 * One object at the screen's resolution, its inside and its outline each on a canvas of its own: another opacity is no
 * more than two copies, and a dab or a move of the view traces only the pixels that came anew.
 */
export class Canvas2DMask {
  private traced: Kept | null = null;
  /** Image pixels that have changed since; null: all of them. */
  private dirty: Rect[] | null = null;

  constructor(readonly mask: Bitmask) {}

  changed(rect: Rect | null): void {
    this.dirty = rect === null || this.dirty === null ? null : withRect(this.dirty, rect);
  }

  /** Draws within what the context clips. */
  draw(context: CanvasRenderingContext2D, style: MaskStyle, view: ViewState, margin: number): void {
    const { width, height } = context.canvas;
    const found = this.refresh(style, view, { x: 0, y: 0, width, height }, margin);
    if (found === null) return;
    const { inside, edge, part } = found;
    context.globalAlpha = style.fill;
    if (style.fill > 0) context.drawImage(inside.canvas, part.x, part.y);
    context.globalAlpha = style.outline;
    if (style.outline > 0) context.drawImage(edge.canvas, part.x, part.y);
    context.globalAlpha = 1;
  }

  private refresh(style: MaskStyle, view: ViewState, canvas: Rect, margin: number): Kept | null {
    const whole = onCanvas(this.mask.box, view, OVERHANG);
    const part = whole.width * whole.height <= MAX_WHOLE_PIXELS ? whole : intersection(whole, canvas);
    if (isEmpty(part)) {
      this.traced = null;
      return null;
    }
    const { colour, outlineWidth, rim, dash } = style;
    const before = this.dirty === null ? null : this.moved(style, view);
    let stale = [part];
    if (before !== null) {
      stale = subtract(part, before.part);
      for (const rect of this.dirty ?? []) {
        const touched = intersection(onCanvas(rect, view, margin), part);
        if (!isEmpty(touched)) stale.push(touched);
      }
    }
    this.dirty = [];
    if (
      before !== null &&
      before.part.width === part.width &&
      before.part.height === part.height &&
      stale.length === 0
    ) {
      this.traced = before;
    } else {
      this.traced = { ...room(before, part), part, view, colour, outlineWidth, rim, dash };
    }
    for (const rect of stale) fill(this.traced, this.mask, rect);
    return this.traced;
  }

  /** What was traced last, moved to the new view; null where its pixels would differ there. */
  private moved(style: MaskStyle, view: ViewState): Kept | null {
    const { traced } = this;
    if (traced === null || traced.colour !== style.colour) return null;
    if (traced.outlineWidth !== style.outlineWidth || traced.rim !== style.rim) return null;
    if (traced.dash !== style.dash) return null;
    if (traced.view.zoom !== view.zoom || traced.view.dpr !== view.dpr) return null;
    const [dx, dy] = [(view.x - traced.view.x) * view.dpr, (view.y - traced.view.y) * view.dpr];
    if (Math.abs(dx - Math.round(dx)) > 1e-3 || Math.abs(dy - Math.round(dy)) > 1e-3) return null;
    const { part } = traced;
    return { ...traced, view, part: { ...part, x: part.x + Math.round(dx), y: part.y + Math.round(dy) } };
  }
}

/** Canvases for `part`: the present ones where they fit, else new ones with the pixels that the old ones share. */
function room(before: Kept | null, part: Rect): Pick<Kept, "inside" | "edge"> {
  if (before === null) return { inside: surface(part.width, part.height), edge: surface(part.width, part.height) };
  const { x, y, width, height } = before.part;
  if (x === part.x && y === part.y && width === part.width && height === part.height) return before;
  const copied = (old: Surface): Surface => {
    const made = surface(part.width, part.height);
    made.context.drawImage(old.canvas, x - part.x, y - part.y);
    return made;
  };
  return { inside: copied(before.inside), edge: copied(before.edge) };
}

function fill({ inside, edge, part, view, colour, outlineWidth, rim, dash }: Kept, mask: Bitmask, rect: Rect): void {
  const shown = trace(mask, view, rect, { outline: outlineWidth, rim, dash });
  const [red, green, blue] = rgbOf(colour);
  const plain = (blue << 16) | (green << 8) | red;
  const insideData = new ImageData(rect.width, rect.height);
  const edgeData = new ImageData(rect.width, rect.height);
  const within = new Uint32Array(insideData.data.buffer);
  const line = new Uint32Array(edgeData.data.buffer);
  for (let index = 0; index < within.length; index++) {
    if (shown.inside[index] === 0) continue;
    within[index] = ((shown.inside[index]! << 24) | plain) >>> 0;
    const alpha = shown.edge[index]!;
    if (alpha > 0)
      line[index] =
        ((alpha << 24) | (shown.rim === null ? plain : whitened(red, green, blue, shown.rim[index]! / alpha))) >>> 0;
  }
  inside.context.putImageData(insideData, rect.x - part.x, rect.y - part.y);
  edge.context.putImageData(edgeData, rect.x - part.x, rect.y - part.y);
}

function whitened(red: number, green: number, blue: number, share: number): number {
  const whiter = (channel: number) => Math.round(channel + (255 - channel) * Math.min(1, share));
  return (whiter(blue) << 16) | (whiter(green) << 8) | whiter(red);
}
