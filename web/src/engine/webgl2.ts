import { Damage, onCanvas } from "./damage";
import { type Levels, sane } from "./levels";
import { type Bitmask, intersection, isEmpty } from "./mask";
import { rgbOf } from "./palette";
import { type Level, levelFor, pyramidOf } from "./pyramid";
import { BACKGROUND, type MaskStyle, type Renderer, sameStyles } from "./renderer";
import { COPY, MASK, PICTURE, QUAD } from "./shaders";
import type { CaseImage, Rect } from "./types";
import type { ViewState } from "./view";

interface Picture {
  levels: Level[];
  texture: WebGLTexture | null;
  base: number;
}

interface MaskTexture {
  mask: Bitmask;
  texture: WebGLTexture;
  box: Rect;
  /** A texel has 2^shift image pixels a side; above 0 only for a box beyond the largest texture. */
  shift: number;
}

interface Program {
  program: WebGLProgram;
  uniforms: Map<string, WebGLUniformLocation | null>;
}

/**
 * Picture and masks on WebGL2. The picture is drawn into a texture when the view or the levels change; a frame
 * copies it and lays the masks on it, within the rectangle that changed. So a dab costs by its size, and a change of
 * opacity only uniforms.
 */
export class WebGL2Renderer implements Renderer {
  readonly kind = "webgl2";
  warning: string | null = null;
  onRestored: (() => void) | null = null;

  private image: CaseImage | null = null;
  private picture: Picture | null = null;
  private equalised: Picture | null = null;
  private levels: Levels = { low: 0, high: 255, gamma: 1, invert: false };
  private view: ViewState = { zoom: 1, x: 0, y: 0, width: 1, height: 1, dpr: 1 };
  private readonly masks = new Map<string, Bitmask>();
  private readonly textures = new Map<string, MaskTexture>();
  private readonly dirty = new Map<string, Rect | null>();
  private styles: ReadonlyMap<string, MaskStyle> = new Map();
  private readonly damage = new Damage();
  private pictureStale = true;
  private lost = false;
  private maxTexture = 4096;
  private programs!: { picture: Program; copy: Program; mask: Program };
  private layer: { texture: WebGLTexture; frame: WebGLFramebuffer; width: number; height: number } | null = null;

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
    this.prepare();
  }

  setImage(image: CaseImage | null): void {
    for (const id of [...this.masks.keys()]) this.removeMask(id);
    this.forget(this.picture);
    this.forget(this.equalised);
    this.image = image;
    this.equalised = null;
    this.picture = image && { levels: pyramidOf(image.pixels, image.width, image.height), texture: null, base: 0 };
    this.warning = image && this.tooLarge(image.width, image.height);
    this.redraw();
  }

  setDisplay(levels: Levels): void {
    this.levels = sane(levels);
    this.redraw();
  }

  setEqualised(pixels: Uint8Array | Uint16Array | null): void {
    this.forget(this.equalised);
    const { image } = this;
    this.equalised =
      pixels && image && { levels: pyramidOf(pixels, image.width, image.height), texture: null, base: 0 };
    this.redraw();
  }

  setView(view: ViewState): void {
    this.view = view;
    this.redraw();
  }

  resize(width: number, height: number, dpr: number): void {
    const [w, h] = [Math.max(1, Math.round(width * dpr)), Math.max(1, Math.round(height * dpr))];
    if (this.canvas.width !== w) this.canvas.width = w;
    if (this.canvas.height !== h) this.canvas.height = h;
    this.redraw();
  }

  updateMask(id: string, mask: Bitmask, dirty: Rect | null): void {
    if (this.masks.get(id) !== mask) {
      this.masks.set(id, mask);
      this.dirty.set(id, null);
    } else {
      const before = this.dirty.get(id);
      this.dirty.set(id, dirty === null || before === null ? null : merged(before, dirty));
    }
    this.damage.add(onCanvas(dirty ?? { x: 0, y: 0, width: mask.width, height: mask.height }, this.view, this.margin));
  }

  removeMask(id: string): void {
    const found = this.textures.get(id);
    if (found !== undefined && !this.lost) this.gl.deleteTexture(found.texture);
    this.textures.delete(id);
    this.dirty.delete(id);
    if (this.masks.delete(id)) this.damage.all();
  }

  setStyles(styles: ReadonlyMap<string, MaskStyle>): void {
    if (sameStyles(this.styles, styles)) return;
    this.styles = styles;
    this.damage.all();
  }

  draw(): void {
    const { gl } = this;
    if (this.lost || gl.isContextLost()) return;
    const part = this.damage.take(this.canvas.width, this.canvas.height);
    if (part === null) return;
    if (this.pictureStale) this.drawPicture();
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(part.x, this.canvas.height - part.y - part.height, part.width, part.height);
    this.copyPicture();
    gl.enable(gl.BLEND);
    for (const [id, style] of this.styles) this.drawMask(id, style, part);
    gl.disable(gl.BLEND);
    gl.disable(gl.SCISSOR_TEST);
  }

  dispose(): void {
    this.canvas.removeEventListener("webglcontextlost", this.onLost);
    this.canvas.removeEventListener("webglcontextrestored", this.onRegained);
    this.setImage(null);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  private get margin(): number {
    return Math.ceil(4 * this.view.dpr);
  }

  private redraw(): void {
    this.pictureStale = true;
    this.damage.all();
  }

  private readonly onLost = (event: Event): void => {
    event.preventDefault();
    this.lost = true;
  };

  private readonly onRegained = (): void => {
    this.lost = false;
    for (const picture of [this.picture, this.equalised]) if (picture !== null) picture.texture = null;
    this.textures.clear();
    this.layer = null;
    for (const id of this.masks.keys()) this.dirty.set(id, null);
    this.prepare();
    this.redraw();
    this.onRestored?.();
  };

  private prepare(): void {
    const { gl } = this;
    this.maxTexture = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
    this.programs = { picture: build(gl, PICTURE), copy: build(gl, COPY), mask: build(gl, MASK) };
    gl.bindVertexArray(gl.createVertexArray());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  private tooLarge(width: number, height: number): string | null {
    if (Math.max(width, height) <= this.maxTexture) return null;
    const shrink = 2 ** this.baseOf(width, height);
    return `This image is larger than the graphics card takes; it is shown at 1/${shrink} of its resolution. Masks keep all of it.`;
  }

  private baseOf(width: number, height: number): number {
    let base = 0;
    while (Math.ceil(Math.max(width, height) / 2 ** base) > this.maxTexture) base++;
    return base;
  }

  private forget(picture: Picture | null): void {
    if (picture !== null && picture.texture !== null && !this.lost) this.gl.deleteTexture(picture.texture);
  }

  private upload(picture: Picture): WebGLTexture {
    if (picture.texture !== null) return picture.texture;
    const { gl } = this;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    picture.base = Math.min(this.baseOf(picture.levels[0].width, picture.levels[0].height), picture.levels.length - 1);
    picture.levels.slice(picture.base).forEach((level, index) => {
      const deep = level.pixels instanceof Uint16Array;
      const format = deep ? gl.R16UI : gl.R8UI;
      const type = deep ? gl.UNSIGNED_SHORT : gl.UNSIGNED_BYTE;
      gl.texImage2D(gl.TEXTURE_2D, index, format, level.width, level.height, 0, gl.RED_INTEGER, type, level.pixels);
    });
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAX_LEVEL, picture.levels.length - 1 - picture.base);
    nearest(gl, gl.NEAREST_MIPMAP_NEAREST);
    picture.texture = texture;
    return texture;
  }

  private drawPicture(): void {
    const { gl } = this;
    this.pictureStale = false;
    const layer = this.pictureLayer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, layer.frame);
    gl.viewport(0, 0, layer.width, layer.height);
    const [red, green, blue] = BACKGROUND;
    gl.clearColor(red / 255, green / 255, blue / 255, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const picture = this.equalised ?? this.picture;
    if (picture === null || this.image === null) return;
    const texture = this.upload(picture);
    const { program, uniforms } = this.programs.picture;
    gl.useProgram(program);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    this.place(uniforms, { x: 0, y: 0, width: this.image.width, height: this.image.height });
    const scale = this.view.zoom * this.view.dpr;
    const level = Math.max(picture.base, levelFor(scale, picture.levels.length));
    const { width, height } = picture.levels[level];
    gl.uniform1i(uniforms.get("u_level") ?? null, level - picture.base);
    gl.uniform2i(uniforms.get("u_last") ?? null, width - 1, height - 1);
    gl.uniform1f(uniforms.get("u_shrink") ?? null, 2 ** -level);
    gl.uniform1i(uniforms.get("u_smooth") ?? null, scale <= 1 || level > 0 ? 1 : 0);
    gl.uniform2f(uniforms.get("u_window") ?? null, this.levels.low, 1 / (this.levels.high - this.levels.low));
    gl.uniform1f(uniforms.get("u_power") ?? null, 1 / this.levels.gamma);
    gl.uniform1i(uniforms.get("u_invert") ?? null, this.levels.invert ? 1 : 0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  private pictureLayer(): { texture: WebGLTexture; frame: WebGLFramebuffer; width: number; height: number } {
    const { gl } = this;
    const { width, height } = this.canvas;
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

  private copyPicture(): void {
    const { gl, layer } = this;
    if (layer === null) return;
    const { program, uniforms } = this.programs.copy;
    gl.useProgram(program);
    gl.bindTexture(gl.TEXTURE_2D, layer.texture);
    gl.uniform2f(uniforms.get("u_canvas") ?? null, layer.width, layer.height);
    gl.uniform3f(uniforms.get("u_view") ?? null, 1, 0, 0);
    gl.uniform4f(uniforms.get("u_box") ?? null, 0, 0, layer.width, layer.height);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  private drawMask(id: string, style: MaskStyle, part: Rect): void {
    const mask = this.masks.get(id);
    if (mask === undefined || !style.visible || mask.area === 0 || (style.fill <= 0 && style.outline <= 0)) return;
    if (isEmpty(intersection(onCanvas(mask.box, this.view, 0), part))) return;
    const { gl } = this;
    const { texture, box, shift } = this.uploadMask(id, mask);
    const { program, uniforms } = this.programs.mask;
    gl.useProgram(program);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    this.place(uniforms, box);
    const [red, green, blue] = rgbOf(style.colour).map((channel) => channel / 255);
    const edge = 1 - (1 - style.fill) * (1 - style.outline);
    gl.uniform2f(uniforms.get("u_origin") ?? null, box.x, box.y);
    gl.uniform2i(uniforms.get("u_size") ?? null, box.width, box.height);
    gl.uniform1i(uniforms.get("u_shift") ?? null, shift);
    for (const [name, alpha] of [["u_inside", style.fill], ["u_edge", edge]] as const) {
      gl.uniform4f(uniforms.get(name) ?? null, red * alpha, green * alpha, blue * alpha, alpha);
    }
    gl.uniform1f(uniforms.get("u_reach") ?? null, style.outlineWidth / this.view.zoom);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  private uploadMask(id: string, mask: Bitmask): MaskTexture {
    const { gl } = this;
    const known = this.textures.get(id);
    const dirty = this.dirty.get(id);
    if (known !== undefined && known.box === mask.box && known.mask === mask) {
      if (dirty === undefined) return known;
      gl.bindTexture(gl.TEXTURE_2D, known.texture);
      const part = dirty === null ? mask.box : intersection(dirty, mask.box);
      if (known.shift > 0) this.fillTexture(mask, known.shift);
      else if (!isEmpty(part)) this.fillPart(mask, part);
      this.dirty.delete(id);
      return known;
    }
    if (known !== undefined) gl.deleteTexture(known.texture);
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    const shift = this.baseOf(mask.box.width, mask.box.height);
    this.fillTexture(mask, shift);
    nearest(gl, gl.NEAREST);
    const made = { mask, texture, box: mask.box, shift };
    this.textures.set(id, made);
    this.dirty.delete(id);
    return made;
  }

  private fillTexture(mask: Bitmask, shift: number): void {
    const { gl } = this;
    const { width, height } = mask.box;
    const stride = 2 ** shift;
    const [w, h] = [Math.ceil(width / stride), Math.ceil(height / stride)];
    let { bits } = mask;
    if (shift > 0) {
      bits = new Uint8Array(w * h);
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++) bits[y * w + x] = mask.bits[y * stride * width + x * stride];
      }
    }
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8UI, w, h, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, bits);
  }

  /** The rows of the part straight out of the mask's bytes. */
  private fillPart(mask: Bitmask, part: Rect): void {
    const { gl } = this;
    const [x, y] = [part.x - mask.box.x, part.y - mask.box.y];
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, mask.box.width);
    gl.pixelStorei(gl.UNPACK_SKIP_PIXELS, x);
    gl.pixelStorei(gl.UNPACK_SKIP_ROWS, y);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, x, y, part.width, part.height, gl.RED_INTEGER, gl.UNSIGNED_BYTE, mask.bits);
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, 0);
    gl.pixelStorei(gl.UNPACK_SKIP_PIXELS, 0);
    gl.pixelStorei(gl.UNPACK_SKIP_ROWS, 0);
  }

  private place(uniforms: Program["uniforms"], box: Rect): void {
    const { gl, view } = this;
    gl.uniform4f(uniforms.get("u_box") ?? null, box.x, box.y, box.width, box.height);
    gl.uniform3f(uniforms.get("u_view") ?? null, view.zoom * view.dpr, view.x * view.dpr, view.y * view.dpr);
    gl.uniform2f(uniforms.get("u_canvas") ?? null, this.canvas.width, this.canvas.height);
  }
}

function merged(before: Rect | undefined, next: Rect): Rect {
  if (before === undefined) return next;
  const x = Math.min(before.x, next.x);
  const y = Math.min(before.y, next.y);
  const right = Math.max(before.x + before.width, next.x + next.width);
  const bottom = Math.max(before.y + before.height, next.y + next.height);
  return { x, y, width: right - x, height: bottom - y };
}

function nearest(gl: WebGL2RenderingContext, minified: number): void {
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, minified);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
}

function build(gl: WebGL2RenderingContext, fragment: string): Program {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, QUAD],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const) {
    const shader = gl.createShader(kind);
    if (shader === null) continue; // the context was lost; what is drawn then is thrown away
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
      throw new Error(`a shader does not compile: ${gl.getShaderInfoLog(shader) ?? ""}`);
    }
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`the shaders do not link: ${gl.getProgramInfoLog(program) ?? ""}`);
  }
  const uniforms = new Map<string, WebGLUniformLocation | null>();
  const count = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS) as number;
  for (let index = 0; index < (count ?? 0); index++) {
    const name = gl.getActiveUniform(program, index)?.name;
    if (name !== undefined) uniforms.set(name, gl.getUniformLocation(program, name));
  }
  return { program, uniforms };
}
