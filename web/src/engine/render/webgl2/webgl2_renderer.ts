import type { CaseImage } from "../../case_image";
import { intersection, isEmpty, type Rect } from "../../geometry/rect";
import type { ViewState } from "../../geometry/view";
import type { Bitmask } from "../../masks/mask";
import { DirtyRect, onCanvas } from "../dirty_rect";
import type { Levels } from "../levels";
import { hasPixels, type MaskStyle, OVERHANG, outlineMargin, type Renderer, sameStyles } from "../renderer";
import { MASK } from "./shaders";
import { WebGL2Mask } from "./webgl2_mask";
import { WebGL2Picture } from "./webgl2_picture";
import { build, type Program } from "./webgl2_program";

/**
 * Picture and masks on WebGL2. A frame copies the picture, kept as it was drawn last, and lays the masks on it, within
 * the rectangle that changed. So a dab costs by its size, and a change of opacity only uniforms.
 */
export class WebGL2Renderer implements Renderer {
  readonly kind = "webgl2";
  onRestored: (() => void) | null = null;

  private readonly picture: WebGL2Picture;
  private readonly masks = new Map<string, WebGL2Mask>();
  private styles: ReadonlyMap<string, MaskStyle> = new Map();
  private view: ViewState = { zoom: 1, x: 0, y: 0, width: 1, height: 1, dpr: 1 };
  private readonly dirty = new DirtyRect();
  private lost = false;
  private program!: Program;

  /** Null where the browser has no WebGL2. */
  static create(canvas: HTMLCanvasElement): WebGL2Renderer | null {
    const gl = canvas.getContext("webgl2", {
      alpha: false,
      antialias: false,
      depth: false,
      // A frame draws only what changed and keeps the rest.
      preserveDrawingBuffer: true,
    });
    return gl === null ? null : new WebGL2Renderer(canvas, gl);
  }

  private constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly gl: WebGL2RenderingContext,
  ) {
    canvas.addEventListener("webglcontextlost", this.onLost);
    canvas.addEventListener("webglcontextrestored", this.onRegained);
    this.picture = new WebGL2Picture(gl);
    this.prepare();
  }

  get warning(): string | null {
    return this.picture.warning;
  }

  setImage(image: CaseImage | null): void {
    for (const mask of this.masks.values()) mask.dispose();
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
    const [w, h] = [Math.max(1, Math.round(width * dpr)), Math.max(1, Math.round(height * dpr))];
    if (this.canvas.width !== w) this.canvas.width = w;
    if (this.canvas.height !== h) this.canvas.height = h;
    this.picture.redraw();
    this.dirty.all();
  }

  updateMask(id: string, mask: Bitmask, dirty: Rect | null): void {
    const known = this.masks.get(id);
    if (known?.mask === mask) {
      known.changed(dirty);
    } else {
      known?.dispose();
      this.masks.set(id, new WebGL2Mask(this.gl, mask));
    }
    const touched = dirty ?? { x: 0, y: 0, width: mask.width, height: mask.height };
    this.dirty.add(onCanvas(touched, this.view, outlineMargin(this.view)));
  }

  removeMask(id: string): void {
    this.masks.get(id)?.dispose();
    if (this.masks.delete(id)) this.dirty.all();
  }

  setStyles(styles: ReadonlyMap<string, MaskStyle>): void {
    if (sameStyles(this.styles, styles)) return;
    this.styles = styles;
    this.dirty.all();
  }

  draw(): void {
    const { gl, canvas, view } = this;
    if (this.lost || gl.isContextLost()) return;
    const part = this.dirty.take(canvas.width, canvas.height);
    if (part === null) return;
    this.picture.draw(view, canvas);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(part.x, canvas.height - part.y - part.height, part.width, part.height);
    this.picture.copy();
    gl.enable(gl.BLEND);
    for (const [id, style] of this.styles) {
      const found = this.masks.get(id);
      if (found === undefined || !hasPixels(found.mask, style)) continue;
      if (isEmpty(intersection(onCanvas(found.mask.box, view, OVERHANG), part))) continue;
      found.draw(this.program, style, view, canvas);
    }
    gl.disable(gl.BLEND);
    gl.disable(gl.SCISSOR_TEST);
  }

  dispose(): void {
    this.canvas.removeEventListener("webglcontextlost", this.onLost);
    this.canvas.removeEventListener("webglcontextrestored", this.onRegained);
    this.setImage(null);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  private readonly onLost = (event: Event): void => {
    event.preventDefault();
    this.lost = true;
  };

  private readonly onRegained = (): void => {
    this.lost = false;
    this.picture.restore();
    for (const mask of this.masks.values()) mask.restore();
    this.prepare();
    this.dirty.all();
    this.onRestored?.();
  };

  private prepare(): void {
    const { gl } = this;
    this.program = build(gl, MASK);
    gl.bindVertexArray(gl.createVertexArray());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }
}
