import type { CaseImage } from "../case_image";
import type { Point } from "../geometry/point";
import { fillPolygon, polygonBox } from "../geometry/polygon";
import { isEmpty } from "../geometry/rect";
import { type BrushShape, MAX_BRUSH, MIN_BRUSH, StrokePainter } from "../geometry/stroke";
import { difference } from "../masks/difference";
import { BoxMask } from "../masks/mask";
import { packMask } from "../masks/packed_mask";
import { dropIslands, fillHoles } from "../masks/region";
import { smooth } from "../masks/smooth";
import type { MaskTool, OverlapMode, StrokeRecord } from "../operations";
import type { CaseLog } from "./case_log";
import type { CaseObject } from "./case_object";
import type { CaseObjects } from "./case_objects";
import { contextOf, loggedPoints, maskChange } from "./changes";
import { type IntensityLimit, SpanWriter } from "./span_writer";

export interface BrushOptions {
  shape: BrushShape;
  /** Diameter or side in image pixels, 1..400. */
  size: number;
  mode: OverlapMode;
  /** Paint only pixels whose value lies near the value under the start of the stroke. */
  limited: boolean;
  /** How near: percent of the display window to either side. */
  tolerance: number;
}

export type BrushTool = "brush" | "eraser";

interface RunningStroke {
  object: CaseObject;
  tool: BrushTool;
  edit: SpanWriter;
  painter: StrokePainter;
  limited: boolean;
}

/** Manual edits of masks: brush, eraser, lasso, filling holes, dropping islands, smoothing. */
export class MaskEdits {
  image: CaseImage | null = null;
  /** The display window, for the intensity-limited brush. */
  window = { low: 0, high: 0 };
  brush: Readonly<BrushOptions> = { shape: "round", size: 24, mode: "overlap", limited: false, tolerance: 10 };
  private stroke: RunningStroke | null = null;

  constructor(
    private readonly width: number,
    private readonly height: number,
    private readonly objects: CaseObjects,
    private readonly log: CaseLog,
  ) {}

  setBrush(options: Partial<BrushOptions>): void {
    const next = { ...this.brush, ...options };
    next.size = Math.min(MAX_BRUSH, Math.max(MIN_BRUSH, Math.round(next.size)));
    next.tolerance = Math.min(100, Math.max(0, next.tolerance));
    this.brush = next;
  }

  get stroking(): boolean {
    return this.stroke !== null;
  }

  /** Pixels that the running stroke has visited and copied: its cost, independent of the machine. */
  get cost(): { visited: number; copied: number } {
    return { visited: this.stroke?.painter.visited ?? 0, copied: this.stroke?.edit.copied ?? 0 };
  }

  /** Starts a stroke on the active object. Does nothing and returns false when no object is active or it is locked. */
  begin(tool: BrushTool, point: Point): boolean {
    this.end();
    const object = this.objects.active;
    if (object === null || object.locked) return false;
    const limit = this.limitAt(point);
    const { shape, size, mode } = this.brush;
    const others = this.objects.othersThan(object);
    const edit = new SpanWriter(object, tool === "brush" ? 1 : 0, { mode, limit, others });
    const painter = new StrokePainter(this.width, this.height, shape, size, edit);
    this.stroke = { object, tool, edit, painter, limited: limit !== null };
    this.extend([point]);
    return true;
  }

  extend(points: readonly Point[]): void {
    if (this.stroke === null || points.length === 0) return;
    const { object, painter, edit } = this.stroke;
    const rect = painter.extend(points);
    if (isEmpty(rect)) return;
    this.objects.dirty(object.id, rect);
    for (const other of edit.takeShrunk()) this.objects.dirty(other.id, rect);
  }

  /** Ends the stroke, which becomes one step of the history. False when it changed nothing. */
  end(): boolean {
    if (this.stroke === null) return false;
    const { object, tool, edit, painter, limited } = this.stroke;
    this.stroke = null;
    const stroke: StrokeRecord = {
      shape: painter.shape,
      size: painter.size,
      points: loggedPoints(painter.points),
      ...(limited ? { limited } : {}),
    };
    return this.commit(object, tool, edit, stroke);
  }

  /** Cancels the stroke and reverts its pixels. */
  cancel(): void {
    if (this.stroke === null) return;
    const { edit } = this.stroke;
    this.stroke = null;
    for (const { object, mask, painted, erased } of edit.changes()) {
      if (painted !== null) object.painted.flip(painted);
      if (erased !== null) object.erased.flip(erased);
      if (mask !== null) this.objects.dirty(object.id, object.mask.flip(mask));
    }
    this.objects.changed();
  }

  /** Drops a running stroke whose object was removed. */
  drop(): void {
    this.stroke = null;
  }

  /** Adds or removes the inside of a closed line. */
  lasso(points: readonly Point[], add: boolean): boolean {
    const object = this.objects.editable(this.objects.activeId);
    const clip = { x: 0, y: 0, width: this.width, height: this.height };
    const box = polygonBox(points, clip);
    if (object === null || points.length < 3 || isEmpty(box)) return false;
    const { mode } = this.brush;
    const edit = new SpanWriter(object, add ? 1 : 0, { mode, others: this.objects.othersThan(object) });
    edit.prepare(box);
    fillPolygon(points, clip, (y, x0, x1) => edit.span(y, x0, x1));
    return this.commit(object, "lasso", edit, { shape: "round", size: 0, points: loggedPoints(points) });
  }

  fillHoles(id: string | null): boolean {
    return this.reshape(id, "fill-holes", fillHoles);
  }

  dropIslands(id: string | null, smallest?: number): boolean {
    return this.reshape(id, "drop-islands", (mask) => dropIslands(mask, smallest));
  }

  smooth(id: string | null, strength: number): boolean {
    return this.reshape(id, "smooth", (mask) => smooth(mask, strength, this.width, this.height));
  }

  private limitAt(point: Point): IntensityLimit | null {
    const x = Math.floor(point[0]);
    const y = Math.floor(point[1]);
    const inside = x >= 0 && y >= 0 && x < this.width && y < this.height;
    if (!this.brush.limited || this.image === null || !inside) return null;
    const value = this.image.pixels[y * this.width + x]!;
    const reach = (this.brush.tolerance / 100) * (this.window.high - this.window.low);
    return { pixels: this.image.pixels, width: this.width, low: value - reach, high: value + reach };
  }

  private reshape(id: string | null, tool: MaskTool, work: (mask: BoxMask) => BoxMask): boolean {
    this.end();
    const object = this.objects.editable(id);
    if (object === null || object.area === 0) return false;
    const before = object.mask.snapshot();
    const target = work(before);
    const changed = difference(before, target);
    if (changed === null) return false;
    // Smoothing moves the outline a little everywhere, so its pixels do not bind the model.
    const binding = tool !== "smooth";
    const others = this.objects.othersThan(object);
    const edit = new SpanWriter(object, 1, { mode: this.brush.mode, others, binding });
    edit.prepare(changed);
    changed.eachRun((y, x0, x1) => {
      for (let start = x0; start < x1; ) {
        const value = target.get(start, y);
        let stop = start + 1;
        while (stop < x1 && target.get(stop, y) === value) stop++;
        edit.span(y, start, stop, value);
        start = stop;
      }
    });
    return this.commit(object, tool, edit);
  }

  private commit(object: CaseObject, tool: MaskTool, edit: SpanWriter, stroke?: StrokeRecord): boolean {
    const parts = edit.changes();
    if (parts.length === 0) {
      this.objects.changed();
      return false;
    }
    const changes = parts.map((flips) => {
      const before = contextOf(flips.object);
      flips.object.choices = null;
      if (flips.object.uncorrected === null && flips.mask !== null) {
        const earlier = difference(flips.object.mask.snapshot(), flips.mask) ?? BoxMask.empty();
        flips.object.uncorrected = packMask(earlier);
      }
      return maskChange(flips, flips.object === object ? tool : "neighbour", before);
    });
    this.log.changedMasks(changes, changes[0]!.object === object.id ? stroke : undefined);
    // A stroke has reported its pixels as it went.
    if (tool === "brush" || tool === "eraser") return true;
    for (const flips of parts) if (flips.mask !== null) this.objects.dirty(flips.object.id, flips.mask);
    return true;
  }
}
