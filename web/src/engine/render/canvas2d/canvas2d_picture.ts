import type { CaseImage } from "../../case_image";
import type { ViewState } from "../../geometry/view";
import { type Levels, lookupTable, validLevels } from "../levels";
import { type Level, levelFor, pyramidOf } from "../pyramid";
import { BACKGROUND } from "../renderer";
import { type Surface, surface } from "./offscreen_canvas";

/** The picture without masks as it stands on the canvas, kept until the view or the levels change. */
export class Canvas2DPicture {
  private image: CaseImage | null = null;
  private pyramid: Level[] = [];
  private equalised: Level[] | null = null;
  private levels: Levels = { low: 0, high: 255, gamma: 1, invert: false };
  /** Levels of the pyramid with the display's brightness. */
  private readonly developed = new Map<Level, HTMLCanvasElement>();
  private shown: Surface | null = null;
  private stale = true;

  setImage(image: CaseImage | null): void {
    this.image = image;
    this.pyramid = image === null ? [] : pyramidOf(image.pixels, image.width, image.height);
    this.equalised = null;
    this.undevelop();
  }

  setDisplay(levels: Levels): void {
    this.levels = validLevels(levels);
    this.undevelop();
  }

  setEqualised(pixels: Uint8Array | Uint16Array | null): void {
    const { image } = this;
    this.equalised = pixels && image && pyramidOf(pixels, image.width, image.height);
    this.undevelop();
  }

  /** The view has moved. */
  redraw(): void {
    this.stale = true;
  }

  /** `width` and `height` in device pixels. */
  drawn(view: ViewState, width: number, height: number): HTMLCanvasElement {
    const fits = this.shown?.canvas.width === width && this.shown.canvas.height === height;
    if (!fits || this.shown === null) this.shown = surface(width, height, { alpha: false });
    else if (!this.stale) return this.shown.canvas;
    this.stale = false;
    const { canvas, context } = this.shown;
    context.resetTransform();
    context.fillStyle = `rgb(${BACKGROUND.join(" ")})`;
    context.fillRect(0, 0, width, height);
    const levels = this.equalised ?? this.pyramid;
    if (levels.length === 0) return canvas;
    const scale = view.zoom * view.dpr;
    const index = levelFor(scale, levels.length);
    const grown = 2 ** index;
    context.setTransform(scale * grown, 0, 0, scale * grown, view.x * view.dpr, view.y * view.dpr);
    context.imageSmoothingEnabled = scale <= 1;
    context.imageSmoothingQuality = "low";
    context.drawImage(this.develop(levels[index]!), 0, 0);
    return canvas;
  }

  private undevelop(): void {
    this.developed.clear();
    this.stale = true;
  }

  private develop(level: Level): HTMLCanvasElement {
    const known = this.developed.get(level);
    if (known !== undefined) return known;
    const { canvas, context } = surface(level.width, level.height, { alpha: false });
    const table = lookupTable(this.levels, level.pixels instanceof Uint16Array ? 16 : 8);
    const print = new ImageData(level.width, level.height);
    const words = new Uint32Array(print.data.buffer);
    const { pixels } = level;
    for (let index = 0; index < words.length; index++)
      words[index] = 0xff000000 | (table[pixels[index]!]! * 0x010101);
    context.putImageData(print, 0, 0);
    this.developed.set(level, canvas);
    return canvas;
  }
}
