import { Canvas2DRenderer } from "./canvas2d/canvas2d_renderer";
import type { Renderer } from "./renderer";
import { WebGL2Renderer } from "./webgl2/webgl2_renderer";

/** WebGL drivers that draw on the processor; there a 2D canvas is several times faster. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** WebGL2 where the browser has it on a graphics card, else a 2D canvas; `prefer` overrides this. */
export function createRenderer(canvas: HTMLCanvasElement, prefer?: Renderer["kind"]): Renderer {
  const kind = prefer ?? (drawsInSoftware() ? "canvas2d" : "webgl2");
  const made = (kind === "webgl2" ? WebGL2Renderer.create(canvas) : null) ?? Canvas2DRenderer.create(canvas);
  if (made === null) throw new Error("the browser can draw neither with WebGL2 nor on a 2D canvas");
  return made;
}

// On a separate canvas, because a canvas with a WebGL context cannot give another one.
function drawsInSoftware(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (gl === null) return true;
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const driver: unknown = gl.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER);
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return typeof driver === "string" && SOFTWARE.test(driver);
}
