import { intersection, isEmpty, NOWHERE, type Rect, union } from "../../geometry/rect";
import type { ViewState } from "../../geometry/view";
import type { Bitmask } from "../../masks/mask";
import { rgbOf } from "../../palette";
import { type MaskStyle, OVERHANG } from "../renderer";
import { nearest, type Program, place, shrinkFor } from "./webgl2_program";

/** One object's mask as a texture of its stored box; a change uploads the rectangle it touched. */
export class WebGL2Mask {
  private texture: WebGLTexture | null = null;
  /** The box that the texture shows. */
  private box: Rect | null = null;
  /** A texel has 2^shift image pixels a side; above 0 only for a box beyond the largest texture. */
  private shift = 0;
  /** Image pixels that have changed since the upload; null: all of them. */
  private dirty: Rect | null = null;

  constructor(
    private readonly gl: WebGL2RenderingContext,
    readonly mask: Bitmask,
  ) {}

  changed(rect: Rect | null): void {
    this.dirty = rect === null || this.dirty === null ? null : union(this.dirty, rect);
  }

  /** The context came back without its textures. */
  restore(): void {
    this.texture = null;
    this.box = null;
  }

  dispose(): void {
    this.gl.deleteTexture(this.texture);
  }

  draw(program: Program, style: MaskStyle, view: ViewState, canvas: { width: number; height: number }): void {
    const { gl } = this;
    const { uniforms } = program;
    const box = this.upload();
    gl.useProgram(program.program);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    const over = OVERHANG / (view.zoom * view.dpr);
    const shown = { x: box.x - over, y: box.y - over, width: box.width + 2 * over, height: box.height + 2 * over };
    place(gl, program, shown, view, canvas);
    const [red, green, blue] = rgbOf(style.colour);
    gl.uniform2f(uniforms.get("u_origin") ?? null, box.x, box.y);
    gl.uniform2i(uniforms.get("u_size") ?? null, box.width, box.height);
    gl.uniform1i(uniforms.get("u_shift") ?? null, this.shift);
    gl.uniform3f(uniforms.get("u_colour") ?? null, red / 255, green / 255, blue / 255);
    gl.uniform2f(uniforms.get("u_alpha") ?? null, style.fill, style.outline);
    gl.uniform1f(uniforms.get("u_rim") ?? null, style.rim / view.zoom);
    gl.uniform1f(uniforms.get("u_reach") ?? null, style.outlineWidth / view.zoom);
    gl.uniform1f(uniforms.get("u_dash") ?? null, style.dash * view.dpr);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  private upload(): Rect {
    const { gl, mask, dirty } = this;
    const { box } = mask;
    this.dirty = NOWHERE;
    if (this.texture === null || this.box !== box) {
      gl.deleteTexture(this.texture);
      this.texture = gl.createTexture();
      this.box = box;
      this.shift = shrinkFor(box.width, box.height, gl.getParameter(gl.MAX_TEXTURE_SIZE) as number);
      gl.bindTexture(gl.TEXTURE_2D, this.texture);
      nearest(gl, gl.NEAREST);
      this.fill();
      return box;
    }
    const part = dirty === null ? box : intersection(dirty, box);
    if (isEmpty(part)) return box;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    if (this.shift > 0) this.fill();
    else this.fillPart(part);
    return box;
  }

  private fill(): void {
    const { gl, mask } = this;
    const { width, height } = mask.box;
    const stride = 2 ** this.shift;
    const [w, h] = [Math.ceil(width / stride), Math.ceil(height / stride)];
    let { bits } = mask;
    if (stride > 1) {
      bits = new Uint8Array(w * h);
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++) bits[y * w + x] = mask.bits[y * stride * width + x * stride]!;
      }
    }
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8UI, w, h, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, bits);
  }

  /** Uploads the rows of the part straight from the mask's bytes. */
  private fillPart(part: Rect): void {
    const { gl, mask } = this;
    const [x, y] = [part.x - mask.box.x, part.y - mask.box.y];
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, mask.box.width);
    gl.pixelStorei(gl.UNPACK_SKIP_PIXELS, x);
    gl.pixelStorei(gl.UNPACK_SKIP_ROWS, y);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, x, y, part.width, part.height, gl.RED_INTEGER, gl.UNSIGNED_BYTE, mask.bits);
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, 0);
    gl.pixelStorei(gl.UNPACK_SKIP_PIXELS, 0);
    gl.pixelStorei(gl.UNPACK_SKIP_ROWS, 0);
  }
}
