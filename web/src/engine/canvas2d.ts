import { Damage, onCanvas } from "./damage";
import { type Levels, lookupTable, sane } from "./levels";
import { type Bitmask, intersection, isEmpty } from "./mask";
import { rgbOf } from "./palette";
import { type Level, levelFor, pyramidOf } from "./pyramid";
import { BACKGROUND, type MaskStyle, type Renderer, sameStyles } from "./renderer";
import type { CaseImage, Rect } from "./types";
import type { ViewState } from "./view";

interface Layer {
  canvas: HTMLCanvasElement;
  context: CanvasRenderingContext2D;
}

interface MaskLayer extends Layer {
  mask: Bitmask;
  box: Rect;
  colour: string;
  shown: Shown | null;
}

/** Inside and outline at the screen's resolution, so that another opacity is no more than two copies. */
interface Shown {
  inside: Layer;
  edge: Layer;
  /** Device pixels; when panned by whole pixels they only move. */
  part: Rect;
  key: string;
}

/** Largest object in device pixels that is kept whole; of a larger one only what is in sight. */
const WHOLE = 2_000_000;

/** Picture and masks on a 2D canvas, where WebGL2 is missing: the same look through cached canvases. */
export class Canvas2DRenderer implements Renderer {
  readonly kind = "canvas2d";
  readonly warning = null;
  onRestored: (() => void) | null = null;

  private image: CaseImage | null = null;
  private pyramid: Level[] = [];
  private equalised: Level[] | null = null;
  private readonly developed = new Map<Level, Layer>();
  private picture: Layer | null = null;
  private pictureStale = true;
  private levels: Levels = { low: 0, high: 255, gamma: 1, invert: false };
  private view: ViewState = { zoom: 1, x: 0, y: 0, width: 1, height: 1, dpr: 1 };
  private readonly masks = new Map<string, Bitmask>();
  private readonly layers = new Map<string, MaskLayer>();
  private readonly dirty = new Map<string, Rect[] | null>();
  private styles: ReadonlyMap<string, MaskStyle> = new Map();
  private readonly damage = new Damage();

  static create(canvas: HTMLCanvasElement): Canvas2DRenderer | null {
    const context = canvas.getContext("2d", { alpha: false });
    return context === null ? null : new Canvas2DRenderer(canvas, context);
  }

  private constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly context: CanvasRenderingContext2D,
  ) {}

  setImage(image: CaseImage | null): void {
    for (const id of [...this.masks.keys()]) this.removeMask(id);
    this.image = image;
    this.pyramid = image === null ? [] : pyramidOf(image.pixels, image.width, image.height);
    this.equalised = null;
    this.develop();
  }

  setDisplay(levels: Levels): void {
    this.levels = sane(levels);
    this.develop();
  }

  setEqualised(pixels: Uint8Array | Uint16Array | null): void {
    const { image } = this;
    this.equalised = pixels && image && pyramidOf(pixels, image.width, image.height);
    this.develop();
  }

  setView(view: ViewState): void {
    this.view = view;
    this.redraw();
  }

  resize(width: number, height: number, dpr: number): void {
    this.canvas.width = Math.max(1, Math.round(width * dpr));
    this.canvas.height = Math.max(1, Math.round(height * dpr));
    this.redraw();
  }

  updateMask(id: string, mask: Bitmask, dirty: Rect | null): void {
    const before = this.masks.get(id) === mask ? this.dirty.get(id) : null;
    this.masks.set(id, mask);
    this.dirty.set(id, dirty === null || before === null ? null : [...(before ?? []), dirty]);
    this.damage.add(onCanvas(dirty ?? { x: 0, y: 0, width: mask.width, height: mask.height }, this.view, this.margin));
  }

  removeMask(id: string): void {
    this.layers.delete(id);
    this.dirty.delete(id);
    if (this.masks.delete(id)) this.damage.all();
  }

  setStyles(styles: ReadonlyMap<string, MaskStyle>): void {
    if (sameStyles(this.styles, styles)) return;
    this.styles = styles;
    this.damage.all();
  }

  draw(): void {
    const { context } = this;
    const part = this.damage.take(this.canvas.width, this.canvas.height);
    if (part === null) return;
    if (this.pictureStale || this.picture === null) this.picture = this.drawPicture();
    const { x, y, width, height } = part;
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    context.drawImage(this.picture.canvas, x, y, width, height, x, y, width, height);
    for (const [id, style] of this.styles) this.drawMask(id, style, part);
    context.restore();
  }

  dispose(): void {
    this.setImage(null);
    this.picture = null;
  }

  private get margin(): number {
    return Math.ceil(4 * this.view.dpr);
  }

  private redraw(): void {
    this.pictureStale = true;
    this.damage.all();
  }

  private toImage(context: CanvasRenderingContext2D, left: number, top: number): void {
    const { zoom, x, y, dpr } = this.view;
    context.setTransform(zoom * dpr, 0, 0, zoom * dpr, x * dpr - left, y * dpr - top);
  }

  private develop(): void {
    this.developed.clear();
    this.redraw();
  }

  private drawPicture(): Layer {
    this.pictureStale = false;
    const { width, height } = this.canvas;
    const same = this.picture?.canvas.width === width && this.picture.canvas.height === height;
    const layer = same && this.picture !== null ? this.picture : layerOf(width, height);
    const { context } = layer;
    context.resetTransform();
    context.fillStyle = `rgb(${BACKGROUND.join(" ")})`;
    context.fillRect(0, 0, width, height);
    const levels = this.equalised ?? this.pyramid;
    if (levels.length === 0) return layer;
    const { zoom, x, y, dpr } = this.view;
    const index = levelFor(zoom * dpr, levels.length);
    const grown = 2 ** index;
    context.setTransform(zoom * dpr * grown, 0, 0, zoom * dpr * grown, x * dpr, y * dpr);
    context.imageSmoothingEnabled = zoom * dpr <= 1;
    context.imageSmoothingQuality = "low";
    context.drawImage(this.printOf(levels[index]), 0, 0);
    return layer;
  }

  private printOf(level: Level): HTMLCanvasElement {
    const known = this.developed.get(level);
    if (known !== undefined) return known.canvas;
    const made = layerOf(level.width, level.height);
    const table = lookupTable(this.levels, level.pixels instanceof Uint16Array ? 16 : 8);
    const shown = new ImageData(level.width, level.height);
    const words = new Uint32Array(shown.data.buffer);
    const { pixels } = level;
    for (let index = 0; index < words.length; index++) words[index] = 0xff000000 | (table[pixels[index]] * 0x010101);
    made.context.putImageData(shown, 0, 0);
    this.developed.set(level, made);
    return made.canvas;
  }

  private drawMask(id: string, style: MaskStyle, part: Rect): void {
    const mask = this.masks.get(id);
    if (mask === undefined || !style.visible || mask.area === 0 || (style.fill <= 0 && style.outline <= 0)) return;
    if (isEmpty(intersection(onCanvas(mask.box, this.view, 0), part))) return;
    const { shown } = this.refresh(id, mask, style);
    if (shown === null) return;
    const { context } = this;
    const { x, y } = shown.part;
    context.globalAlpha = style.fill;
    if (style.fill > 0) context.drawImage(shown.inside.canvas, x, y);
    context.globalAlpha = style.outline;
    if (style.outline > 0) context.drawImage(shown.edge.canvas, x, y);
    context.globalAlpha = 1;
  }

  /** The object's canvases brought up to date: only where it changed, unless the zoom or the look did. */
  private refresh(id: string, mask: Bitmask, style: MaskStyle): MaskLayer {
    let layer = this.layers.get(id);
    let changed = this.dirty.get(id);
    if (layer === undefined || layer.box !== mask.box || layer.mask !== mask || layer.colour !== style.colour) {
      const { box } = mask;
      layer = { ...layerOf(box.width, box.height), mask, box, colour: style.colour, shown: null };
      this.layers.set(id, layer);
      changed = null;
    }
    this.dirty.delete(id);
    if (changed !== undefined) for (const rect of changed ?? [mask.box]) paint(layer, rect);
    const { part, key } = this.place(mask.box, style.outlineWidth);
    if (isEmpty(part)) {
      layer.shown = null;
    } else if (layer.shown === null || layer.shown.key !== key || changed === null) {
      const [inside, edge] = [layerOf(part.width, part.height), layerOf(part.width, part.height)];
      layer.shown = { inside, edge, part, key };
      this.trace(layer, layer.shown, part, style.outlineWidth);
    } else {
      layer.shown.part = part;
      for (const rect of changed ?? []) {
        const touched = intersection(onCanvas(rect, this.view, this.margin), part);
        if (!isEmpty(touched)) this.trace(layer, layer.shown, touched, style.outlineWidth);
      }
    }
    return layer;
  }

  private place(box: Rect, outlineWidth: number): { part: Rect; key: string } {
    const { zoom, x, y, dpr } = this.view;
    const whole = onCanvas(box, this.view, 0);
    const common = [zoom, dpr, outlineWidth].join();
    if (whole.width * whole.height <= WHOLE) {
      const fraction = (value: number) => (value * dpr - Math.floor(value * dpr)).toFixed(4);
      return { part: whole, key: [common, whole.width, whole.height, fraction(x), fraction(y)].join() };
    }
    const { width, height } = this.canvas;
    return { part: intersection(whole, { x: 0, y: 0, width, height }), key: [common, x, y, width, height].join() };
  }

  /**
   * Inside and outline within `part`. The outline is the mask less what remains when it is cut by itself, moved by
   * the line's width in each of eight directions.
   */
  private trace(layer: MaskLayer, shown: Shown, part: Rect, outlineWidth: number): void {
    const reach = outlineWidth * this.view.dpr;
    const slant = reach * Math.SQRT1_2;
    const core = layerOf(part.width, part.height);
    const whole = layerOf(part.width, part.height);
    const stamp = (target: Layer, dx: number, dy: number): void => {
      target.context.imageSmoothingEnabled = false;
      this.toImage(target.context, part.x + dx, part.y + dy);
      target.context.drawImage(layer.canvas, layer.box.x, layer.box.y);
      target.context.resetTransform();
    };
    const [x, y] = [part.x - shown.part.x, part.y - shown.part.y];
    stamp(whole, 0, 0);
    shown.inside.context.clearRect(x, y, part.width, part.height);
    shown.inside.context.drawImage(whole.canvas, x, y);
    core.context.drawImage(whole.canvas, 0, 0);
    core.context.globalCompositeOperation = "destination-in";
    for (const [dx, dy] of [[reach, 0], [0, reach], [slant, slant], [slant, -slant]]) {
      stamp(core, dx, dy);
      stamp(core, -dx, -dy);
    }
    whole.context.globalCompositeOperation = "destination-out";
    whole.context.drawImage(core.canvas, 0, 0);
    shown.edge.context.clearRect(x, y, part.width, part.height);
    shown.edge.context.drawImage(whole.canvas, x, y);
  }
}

function layerOf(width: number, height: number): Layer {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, width);
  canvas.height = Math.max(1, height);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("the browser gives no 2D canvas");
  return { canvas, context };
}

function paint(layer: MaskLayer, rect: Rect): void {
  const part = intersection(rect, layer.box);
  if (isEmpty(part)) return;
  const [red, green, blue] = rgbOf(layer.colour);
  const word = (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
  const shown = new ImageData(part.width, part.height);
  const words = new Uint32Array(shown.data.buffer);
  for (let row = 0; row < part.height; row++) {
    const source = (part.y + row - layer.box.y) * layer.box.width + (part.x - layer.box.x);
    for (let column = 0; column < part.width; column++) {
      words[row * part.width + column] = layer.mask.bits[source + column] === 1 ? word : 0;
    }
  }
  layer.context.putImageData(shown, part.x - layer.box.x, part.y - layer.box.y);
}
