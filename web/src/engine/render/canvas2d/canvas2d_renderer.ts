import type { CaseImage } from "../../case_image";
import { intersection, isEmpty, type Rect } from "../../geometry/rect";
import type { ViewState } from "../../geometry/view";
import type { Bitmask } from "../../masks/mask";
import { DirtyRect, onCanvas } from "../dirty_rect";
import type { Levels } from "../levels";
import { hasPixels, type MaskStyle, OVERHANG, outlineMargin, type Renderer, sameStyles } from "../renderer";
import { Canvas2DMask } from "./canvas2d_mask";
import { Canvas2DPicture } from "./canvas2d_picture";

/** Picture and masks on a 2D canvas, where WebGL2 is missing or drawn in software: the same look. */
export class Canvas2DRenderer implements Renderer {
  readonly kind = "canvas2d";
  readonly warning = null;
  onRestored: (() => void) | null = null;

  private readonly picture = new Canvas2DPicture();
  private readonly masks = new Map<string, Canvas2DMask>();
  private styles: ReadonlyMap<string, MaskStyle> = new Map();
  private view: ViewState = { zoom: 1, x: 0, y: 0, width: 1, height: 1, dpr: 1 };
  private readonly dirty = new DirtyRect();

  static create(canvas: HTMLCanvasElement): Canvas2DRenderer | null {
    const context = canvas.getContext("2d", { alpha: false });
    return context === null ? null : new Canvas2DRenderer(canvas, context);
  }

  private constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly context: CanvasRenderingContext2D,
  ) {}

  setImage(image: CaseImage | null): void {
    this.masks.clear();
    this.picture.setImage(image);
    this.dirty.all();
  }

  setDisplay(levels: Levels): void {
    this.picture.setDisplay(levels);
    this.dirty.all();
  }

  setEqualised(pixels: Uint8Array | Uint16Array | null): void {
    this.picture.setEqualised(pixels);
    this.dirty.all();
  }

  setView(view: ViewState): void {
    this.view = view;
    this.picture.redraw();
    this.dirty.all();
  }

  resize(width: number, height: number, dpr: number): void {
    this.canvas.width = Math.max(1, Math.round(width * dpr));
    this.canvas.height = Math.max(1, Math.round(height * dpr));
    this.dirty.all();
  }

  updateMask(id: string, mask: Bitmask, dirty: Rect | null): void {
    const known = this.masks.get(id);
    if (known?.mask === mask) known.changed(dirty);
    else this.masks.set(id, new Canvas2DMask(mask));
    const touched = dirty ?? { x: 0, y: 0, width: mask.width, height: mask.height };
    this.dirty.add(onCanvas(touched, this.view, outlineMargin(this.view)));
  }

  removeMask(id: string): void {
    if (this.masks.delete(id)) this.dirty.all();
  }

  setStyles(styles: ReadonlyMap<string, MaskStyle>): void {
    if (sameStyles(this.styles, styles)) return;
    this.styles = styles;
    this.dirty.all();
  }

  draw(): void {
    const { context, view } = this;
    const { width: across, height: down } = this.canvas;
    const part = this.dirty.take(across, down);
    if (part === null) return;
    const { x, y, width, height } = part;
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    context.drawImage(this.picture.drawn(view, across, down), x, y, width, height, x, y, width, height);
    for (const [id, style] of this.styles) {
      const found = this.masks.get(id);
      if (found === undefined || !hasPixels(found.mask, style)) continue;
      if (isEmpty(intersection(onCanvas(found.mask.box, view, OVERHANG), part))) continue;
      found.draw(context, style, view, outlineMargin(view));
    }
    context.restore();
  }

  dispose(): void {
    this.setImage(null);
  }
}
