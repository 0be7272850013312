import type { CaseImage } from "../../case_image";
import type { ViewState } from "../../geometry/view";
import { type Levels, validLevels } from "../levels";
import { type Level, levelFor, pyramidOf } from "../pyramid";
import { BACKGROUND } from "../renderer";
import { COPY, PICTURE } from "./shaders";
import { build, nearest, type Program, place, shrinkFor } from "./webgl2_program";

interface Pyramid {
  levels: Level[];
  texture: WebGLTexture | null;
  /** The first level that fits into a texture. */
  base: number;
}

interface Layer {
  texture: WebGLTexture;
  frame: WebGLFramebuffer;
  width: number;
  height: number;
}

/** The picture without masks as it stands on the canvas, drawn into a texture when the view or the levels change. */
export class WebGL2Picture {
  private image: CaseImage | null = null;
  private own: Pyramid | null = null;
  private equalised: Pyramid | null = null;
  private levels: Levels = { low: 0, high: 255, gamma: 1, invert: false };
  private programs!: { picture: Program; copy: Program };
  private maxTexture = 4096;
  private layer: Layer | null = null;
  private stale = true;

  constructor(private readonly gl: WebGL2RenderingContext) {
    this.prepare();
  }

  setImage(image: CaseImage | null): void {
    this.forget(this.own);
    this.forget(this.equalised);
    this.image = image;
    this.own = image && { levels: pyramidOf(image.pixels, image.width, image.height), texture: null, base: 0 };
    this.equalised = null;
    this.stale = true;
  }

  setDisplay(levels: Levels): void {
    this.levels = validLevels(levels);
    this.stale = true;
  }

  setEqualised(pixels: Uint8Array | Uint16Array | null): void {
    this.forget(this.equalised);
    const { image } = this;
    this.equalised = pixels &&
      image && { levels: pyramidOf(pixels, image.width, image.height), texture: null, base: 0 };
    this.stale = true;
  }

  /** The view has moved. */
  redraw(): void {
    this.stale = true;
  }

  /** The context came back without anything that was in it. */
  restore(): void {
    for (const pyramid of [this.own, this.equalised]) if (pyramid !== null) pyramid.texture = null;
    this.layer = null;
    this.stale = true;
    this.prepare();
  }

  /** One line for the user where the picture is larger than a texture can be. */
  get warning(): string | null {
    const { image, maxTexture } = this;
    if (image === null || Math.max(image.width, image.height) <= maxTexture) return null;
    const shrink = 2 ** shrinkFor(image.width, image.height, maxTexture);
    return `This image is larger than the graphics card takes; it is shown at 1/${shrink} of its resolution. Masks keep all of it.`;
  }

  /** Brings the texture up to date; afterwards another framebuffer is bound. */
  draw(view: ViewState, canvas: { width: number; height: number }): void {
    if (!this.stale) return;
    this.stale = false;
    const { gl } = this;
    const layer = this.layerFor(canvas.width, canvas.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, layer.frame);
    gl.viewport(0, 0, layer.width, layer.height);
    const [red, green, blue] = BACKGROUND;
    gl.clearColor(red / 255, green / 255, blue / 255, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const pyramid = this.equalised ?? this.own;
    if (pyramid === null || this.image === null) return;
    const texture = this.upload(pyramid);
    const { picture } = this.programs;
    const { uniforms } = picture;
    gl.useProgram(picture.program);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    place(gl, picture, { x: 0, y: 0, width: this.image.width, height: this.image.height }, view, layer);
    const scale = view.zoom * view.dpr;
    const level = Math.max(pyramid.base, levelFor(scale, pyramid.levels.length));
    const { width, height } = pyramid.levels[level]!;
    gl.uniform1i(uniforms.get("u_level") ?? null, level - pyramid.base);
    gl.uniform2i(uniforms.get("u_last") ?? null, width - 1, height - 1);
    gl.uniform1f(uniforms.get("u_shrink") ?? null, 2 ** -level);
    gl.uniform1i(uniforms.get("u_smooth") ?? null, scale <= 1 || level > 0 ? 1 : 0);
    gl.uniform2f(uniforms.get("u_window") ?? null, this.levels.low, 1 / (this.levels.high - this.levels.low));
    gl.uniform1f(uniforms.get("u_power") ?? null, 1 / this.levels.gamma);
    gl.uniform1i(uniforms.get("u_invert") ?? null, this.levels.invert ? 1 : 0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  /** Copies the texture onto the canvas, within the scissor. */
  copy(): void {
    const { gl, layer } = this;
    if (layer === null) return;
    const { copy } = this.programs;
    gl.useProgram(copy.program);
    gl.bindTexture(gl.TEXTURE_2D, layer.texture);
    const { width, height } = layer;
    place(gl, copy, { x: 0, y: 0, width, height }, { zoom: 1, x: 0, y: 0, dpr: 1, width, height }, layer);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  private prepare(): void {
    const { gl } = this;
    this.maxTexture = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
    this.programs = { picture: build(gl, PICTURE), copy: build(gl, COPY) };
  }

  private forget(pyramid: Pyramid | null): void {
    if (pyramid !== null) this.gl.deleteTexture(pyramid.texture);
  }

  private upload(pyramid: Pyramid): WebGLTexture {
    if (pyramid.texture !== null) return pyramid.texture;
    const { gl } = this;
    const { levels } = pyramid;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    pyramid.base = Math.min(shrinkFor(levels[0]!.width, levels[0]!.height, this.maxTexture), levels.length - 1);
    levels.slice(pyramid.base).forEach((level, index) => {
      const deep = level.pixels instanceof Uint16Array;
      const format = deep ? gl.R16UI : gl.R8UI;
      const type = deep ? gl.UNSIGNED_SHORT : gl.UNSIGNED_BYTE;
      gl.texImage2D(gl.TEXTURE_2D, index, format, level.width, level.height, 0, gl.RED_INTEGER, type, level.pixels);
    });
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAX_LEVEL, levels.length - 1 - pyramid.base);
    nearest(gl, gl.NEAREST_MIPMAP_NEAREST);
    pyramid.texture = texture;
    return texture;
  }

  private layerFor(width: number, height: number): Layer {
    const { gl } = this;
    if (this.layer !== null && this.layer.width === width && this.layer.height === height) return this.layer;
    if (this.layer !== null) {
      gl.deleteTexture(this.layer.texture);
      gl.deleteFramebuffer(this.layer.frame);
    }
    const texture = gl.createTexture();
    const frame = gl.createFramebuffer();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, width, height);
    nearest(gl, gl.NEAREST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    this.layer = { texture, frame, width, height };
    return this.layer;
  }
}
