/** A canvas that is not in the page. */
export interface Surface {
  canvas: HTMLCanvasElement;
  context: CanvasRenderingContext2D;
}

export function surface(width: number, height: number, settings?: CanvasRenderingContext2DSettings): Surface {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, width);
  canvas.height = Math.max(1, height);
  const context = canvas.getContext("2d", settings);
  if (context === null) throw new Error("the browser gives no 2D canvas");
  return { canvas, context };
}
