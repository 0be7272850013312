import type { Rect } from "../../geometry/rect";
import type { ViewState } from "../../geometry/view";
import { QUAD } from "./shaders";

/** A fragment shader over a quad, and where its uniforms are. */
export interface Program {
  program: WebGLProgram;
  uniforms: Map<string, WebGLUniformLocation | null>;
}

export function build(gl: WebGL2RenderingContext, fragment: string): Program {
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

/** Puts the quad over `box` of the image as the view shows it on a canvas of so many device pixels. */
export function place(
  gl: WebGL2RenderingContext,
  { uniforms }: Program,
  box: Rect,
  view: ViewState,
  canvas: { width: number; height: number },
): void {
  gl.uniform4f(uniforms.get("u_box") ?? null, box.x, box.y, box.width, box.height);
  gl.uniform3f(uniforms.get("u_view") ?? null, view.zoom * view.dpr, view.x * view.dpr, view.y * view.dpr);
  gl.uniform2f(uniforms.get("u_canvas") ?? null, canvas.width, canvas.height);
}

/** Sets the bound texture to nearest-neighbour sampling. */
export function nearest(gl: WebGL2RenderingContext, minified: number): void {
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, minified);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
}

/** How many times a picture or mask must be halved to fit into a texture. */
export function shrinkFor(width: number, height: number, maxTexture: number): number {
  let shrink = 0;
  while (Math.ceil(Math.max(width, height) / 2 ** shrink) > maxTexture) shrink++;
  return shrink;
}
