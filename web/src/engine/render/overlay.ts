import type { Point } from "../geometry/point";
import type { BrushShape } from "../geometry/stroke";
import { fromModel, type View, type ViewState } from "../geometry/view";
import type { Prompts } from "../operations";

/** What is drawn over picture and masks: prompts, the cursor, a box or lasso under way. */
export interface OverlayScene {
  prompts: Prompts | null;
  brush: { at: Point; shape: BrushShape; size: number } | null;
  /** The keyboard's cursor. */
  cursor: Point | null;
  box: readonly [Point, Point] | null;
  lasso: readonly Point[] | null;
}

const DARK = "rgb(0 0 0 / 0.85)";
const LIGHT = "rgb(255 255 255 / 0.95)";
const POSITIVE = "#009e73";
const NEGATIVE = "#d55e00";

/** The canvas over the picture: the cursor's outline, clicks, box and lasso, drawn anew where one of them has changed. */
export class Overlay {
  private readonly context: CanvasRenderingContext2D;
  private shown: { scene: OverlayScene; view: ViewState } | null = null;

  constructor(canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("the browser gives no 2D canvas");
    this.context = context;
  }

  draw(view: View, scene: OverlayScene): void {
    const { shown } = this;
    const now = { scene, view: view.state() };
    if (shown !== null && sameScene(shown.scene, scene) && sameView(shown.view, now.view)) return;
    this.shown = now;
    drawScene(this.context, view, scene);
  }
}

/** Whether the two would look the same; a lasso under way grows in place, so it never does. */
function sameScene(a: OverlayScene, b: OverlayScene): boolean {
  const same = (p: Point | null | undefined, q: Point | null | undefined) =>
    p === q || (p?.[0] === q?.[0] && p?.[1] === q?.[1]);
  return (
    a.lasso === null &&
    b.lasso === null &&
    a.prompts === b.prompts &&
    same(a.cursor, b.cursor) &&
    same(a.box?.[0], b.box?.[0]) &&
    same(a.box?.[1], b.box?.[1]) &&
    same(a.brush?.at, b.brush?.at) &&
    a.brush?.shape === b.brush?.shape &&
    a.brush?.size === b.brush?.size
  );
}

function sameView(a: ViewState, b: ViewState): boolean {
  return (
    a.zoom === b.zoom && a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height && a.dpr === b.dpr
  );
}

/** Light lines on dark ones, visible on enamel and on air. */
function drawScene(context: CanvasRenderingContext2D, view: View, scene: OverlayScene): void {
  const { width, height } = context.canvas;
  context.resetTransform();
  // In two parts: Chromium may go on showing an earlier frame, a brush's outline long gone, where all that happens to
  // a canvas is that the whole of it is cleared.
  context.clearRect(0, 0, width, height - 1);
  context.clearRect(0, height - 1, width, 1);
  context.setTransform(view.dpr, 0, 0, view.dpr, 0, 0);
  context.lineJoin = "round";
  if (scene.prompts?.box) {
    const [x0, y0, x1, y1] = scene.prompts.box;
    outlineBox(context, view, fromModel([x0, y0]), fromModel([x1, y1]), [6, 4]);
  }
  for (const click of scene.prompts?.clicks ?? []) drawClick(context, view, fromModel(click), click[2] === 1);
  if (scene.box !== null) outlineBox(context, view, scene.box[0], scene.box[1], []);
  if (scene.lasso !== null && scene.lasso.length > 0) {
    stroked(context, [], () => {
      scene.lasso?.forEach(([x, y], index) => {
        const [sx, sy] = view.toScreen(x, y);
        if (index === 0) context.moveTo(sx, sy);
        else context.lineTo(sx, sy);
      });
    });
  }
  if (scene.brush !== null) drawBrush(context, view, scene.brush);
  if (scene.cursor !== null) drawCursor(context, view, scene.cursor);
}

function stroked(context: CanvasRenderingContext2D, dashes: number[], path: () => void): void {
  for (const [colour, width] of [
    [DARK, 3],
    [LIGHT, 1.25],
  ] as const) {
    context.beginPath();
    path();
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(colour === LIGHT ? dashes : []);
    context.stroke();
  }
  context.setLineDash([]);
}

function drawBrush(
  context: CanvasRenderingContext2D,
  view: View,
  { at, shape, size }: NonNullable<OverlayScene["brush"]>,
): void {
  // A brush of one pixel paints the pixel that it is in, so its outline is drawn there.
  const place: Point = size < Math.SQRT2 ? [Math.floor(at[0]) + 0.5, Math.floor(at[1]) + 0.5] : at;
  const [x, y] = view.toScreen(place[0], place[1]);
  const half = (size / 2) * view.zoom;
  stroked(context, [], () => {
    if (shape === "round") context.arc(x, y, Math.max(half, 0.5), 0, 2 * Math.PI);
    else context.rect(x - half, y - half, 2 * half, 2 * half);
  });
  if (half < 4) return;
  stroked(context, [], () => {
    context.moveTo(x - 1.5, y);
    context.lineTo(x + 1.5, y);
  });
}

function drawCursor(context: CanvasRenderingContext2D, view: View, at: Point): void {
  const [x, y] = view.toScreen(at[0], at[1]);
  stroked(context, [], () => {
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ] as const) {
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 14 * dx, y + 14 * dy);
    }
  });
}

function drawClick(context: CanvasRenderingContext2D, view: View, at: Point, positive: boolean): void {
  const [x, y] = view.toScreen(at[0], at[1]);
  context.beginPath();
  context.arc(x, y, 6, 0, 2 * Math.PI);
  context.fillStyle = positive ? POSITIVE : NEGATIVE;
  context.fill();
  context.strokeStyle = DARK;
  context.lineWidth = 3;
  context.stroke();
  context.strokeStyle = LIGHT;
  context.lineWidth = 1.5;
  context.stroke();
  context.beginPath();
  context.moveTo(x - 3, y);
  context.lineTo(x + 3, y);
  if (positive) {
    context.moveTo(x, y - 3);
    context.lineTo(x, y + 3);
  }
  context.stroke();
}

function outlineBox(context: CanvasRenderingContext2D, view: View, a: Point, b: Point, dashes: number[]): void {
  const [x0, y0] = view.toScreen(a[0], a[1]);
  const [x1, y1] = view.toScreen(b[0], b[1]);
  stroked(context, dashes, () =>
    context.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0)),
  );
}
