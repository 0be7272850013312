import type { Point } from "../geometry/point";
import { toModel } from "../geometry/view";
import type { OverlayScene } from "../render/overlay";
import type { InputStage } from "./input_stage";

export type StageTool =
  | "click"
  | "box"
  | "brush"
  | "eraser"
  | "lasso-add"
  | "lasso-subtract"
  | "select"
  | "pan"
  | "window";

/** A box with a shorter side, in screen pixels, is taken for a slip. */
const MIN_BOX_SIDE = 3;

/** What a tool does between press and release, for pointer and keyboard alike. Points are in image pixels. */
export class ToolUse {
  tool: StageTool = "click";
  /** The keyboard's cursor; null while the pointer is used. */
  cursor: Point | null = null;
  /** The pointer; null while it is elsewhere. */
  pointerAt: Point | null = null;
  private corner: Point | null = null;
  private opposite: Point | null = null;
  private line: Point[] | null = null;
  private subtracts = false;
  private lastPoint: Point | null = null;
  private stroke: "brush" | "eraser" | null = null;

  constructor(private readonly stage: InputStage) {}

  setTool(tool: StageTool): void {
    if (tool === this.tool) return;
    this.finish();
    this.tool = tool;
  }

  /** Another case: nothing of the last one stays. */
  reset(): void {
    this.corner = this.opposite = this.line = this.lastPoint = this.cursor = null;
    this.stroke = null;
  }

  /** Whether something is under way between press and release. */
  get busy(): boolean {
    return this.stroke !== null || this.corner !== null || this.line !== null;
  }

  click(at: Point, positive: boolean): void {
    const { editor } = this.stage;
    if (editor === null || !this.within(at)) return;
    const [x, y] = toModel(at, editor.width, editor.height);
    this.stage.emit("click", { x, y, positive, at });
  }

  select(at: Point): void {
    const { editor } = this.stage;
    if (editor === null) return;
    const id = editor.objectAt(at)?.id ?? null;
    editor.setActive(id);
    this.stage.emit("select", { id });
  }

  /** Starts a stroke; `straight` draws a line from the end of the last stroke. */
  beginStroke(
    at: Point,
    straight: boolean,
    tool: "brush" | "eraser" = this.tool === "eraser" ? "eraser" : "brush",
  ): void {
    const { editor } = this.stage;
    if (editor === null || !this.ready()) return;
    const from = straight && this.lastPoint !== null ? this.lastPoint : at;
    if (!editor.beginStroke(tool, from)) return;
    this.stroke = tool;
    if (from !== at) editor.extendStroke([at]);
    this.lastPoint = at;
  }

  extendStroke(points: readonly Point[]): void {
    if (this.stroke === null || points.length === 0) return;
    this.stage.editor?.extendStroke(points);
    this.lastPoint = points.at(-1)!;
  }

  endStroke(): void {
    const { editor } = this.stage;
    const tool = this.stroke;
    if (tool === null || editor === null) return;
    this.stroke = null;
    const object = editor.activeId;
    if (editor.endStroke() && object !== null) this.stage.emit("strokeEnd", { object, tool });
  }

  /** Reverts a stroke that turned out to be the first of two fingers. */
  cancelStroke(): void {
    if (this.stroke === null) return;
    this.stroke = null;
    this.stage.editor?.cancelStroke();
  }

  beginBox(at: Point): void {
    if (this.stage.editor === null) return;
    this.corner = this.opposite = at;
  }

  stretchBox(to: Point): void {
    if (this.corner !== null) this.opposite = to;
  }

  endBox(): void {
    const { corner, opposite } = this;
    const { editor, view } = this.stage;
    this.corner = this.opposite = null;
    if (corner === null || opposite === null || editor === null) return;
    const least = MIN_BOX_SIDE / view.zoom;
    if (Math.abs(corner[0] - opposite[0]) < least || Math.abs(corner[1] - opposite[1]) < least) return;
    const [x0, y0] = toModel(
      [Math.min(corner[0], opposite[0]), Math.min(corner[1], opposite[1])],
      editor.width,
      editor.height,
    );
    const [x1, y1] = toModel(
      [Math.max(corner[0], opposite[0]), Math.max(corner[1], opposite[1])],
      editor.width,
      editor.height,
    );
    if (x1 > x0 && y1 > y0) this.stage.emit("box", { box: [x0, y0, x1, y1] });
  }

  /** `other`: subtract with the adding lasso, add with the subtracting one. */
  beginLasso(at: Point, other: boolean): void {
    if (!this.ready()) return;
    this.subtracts = (this.tool === "lasso-subtract") !== other;
    this.line = [at];
  }

  extendLasso(points: readonly Point[]): void {
    this.line?.push(...points);
  }

  closeLasso(): void {
    const { editor } = this.stage;
    const line = this.line;
    this.line = null;
    const object = editor?.activeId ?? null;
    if (line === null || editor === null || object === null) return;
    if (editor.lasso(line, !this.subtracts)) this.stage.emit("strokeEnd", { object, tool: "lasso" });
    this.stage.invalidate();
  }

  moveCursor(dx: number, dy: number): void {
    const { editor, view } = this.stage;
    if (editor === null) return;
    const from = this.cursor ?? view.toImage(view.width / 2, view.height / 2);
    const clamp = (value: number, size: number) => Math.min(size - 0.5, Math.max(0.5, Math.floor(value) + 0.5));
    this.cursor = [clamp(from[0] + dx, editor.width), clamp(from[1] + dy, editor.height)];
    this.pointerAt = null;
    const moved = view.reveal(this.cursor);
    this.extendStroke([this.cursor]);
    this.stretchBox(this.cursor);
    if (moved) this.stage.viewMoved();
    this.stage.invalidate();
    this.stage.emit("hover", { point: this.cursor, value: this.valueAt(this.cursor) });
  }

  pressCursor(positive: boolean, hold: boolean): void {
    if (this.cursor === null) this.moveCursor(0, 0);
    const at = this.cursor;
    if (at === null) return;
    switch (this.tool) {
      case "click":
        this.click(at, positive);
        break;
      case "select":
        this.select(at);
        break;
      case "brush":
      case "eraser":
        if (this.stroke !== null) this.endStroke();
        else {
          this.beginStroke(at, false);
          if (!hold) this.endStroke();
        }
        break;
      case "box":
        if (this.corner === null) this.beginBox(at);
        else this.endBox();
        break;
      case "lasso-add":
      case "lasso-subtract":
        if (this.line === null) this.beginLasso(at, !positive);
        else if (this.line.length > 2 && this.line[0]![0] === at[0] && this.line[0]![1] === at[1]) this.closeLasso();
        else this.extendLasso([at]);
        break;
      case "pan":
      case "window":
        break;
    }
    this.stage.invalidate();
  }

  releaseCursor(): void {
    this.endStroke();
  }

  /** What was painted stays; a box or lasso half drawn goes. */
  finish(): void {
    this.endStroke();
    this.corner = this.opposite = this.line = null;
  }

  cancel(): void {
    this.cancelStroke();
    this.corner = this.opposite = this.line = null;
  }

  scene(peek: boolean): OverlayScene {
    const { editor } = this.stage;
    const paints = this.tool === "brush" || this.tool === "eraser";
    const at = this.cursor ?? this.pointerAt;
    const prompts = editor?.active && !editor.active.hidden && !peek ? editor.active.prompts : null;
    return {
      prompts,
      brush:
        editor !== null && paints && at !== null && !peek
          ? { at, shape: editor.brush.shape, size: editor.brush.size }
          : null,
      cursor: this.cursor,
      box: this.corner !== null && this.opposite !== null ? [this.corner, this.opposite] : null,
      lasso: this.line !== null && this.cursor !== null ? [...this.line, this.cursor] : this.line,
    };
  }

  valueAt(point: Point): number | null {
    const { image } = this.stage;
    if (image === null || !this.within(point)) return null;
    return image.pixels[Math.floor(point[1]) * image.width + Math.floor(point[0])]!;
  }

  private within(point: Point): boolean {
    const { editor } = this.stage;
    return editor !== null && point[0] >= 0 && point[1] >= 0 && point[0] < editor.width && point[1] < editor.height;
  }

  private ready(): boolean {
    const { editor } = this.stage;
    if (editor === null) return false;
    if (editor.active === null && !(this.stage.ensureObject?.() ?? false)) {
      this.stage.emit("refused", { reason: "no-object" });
      return false;
    }
    if (editor.active?.locked) {
      this.stage.emit("refused", { reason: "locked" });
      return false;
    }
    this.stage.beforeChange?.();
    return editor.active !== null;
  }
}
