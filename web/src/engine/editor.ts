import { assign, constrain, contextOf, difference, fieldOperation, isBlank, maskChange, recorded } from "./changes";
import { HandEdit } from "./hand_edit";
import { type Change, type Entry, type FieldChange, type FieldValue, History, type MaskChange } from "./history";
import { newId } from "./identity";
import { Bitmask, BoxMask } from "./mask";
import { CaseObject, flipPacked, packMask, unpackMask } from "./objects";
import { colourAt } from "./palette";
import { isEmpty, type Rect } from "./rect";
import { dropIslands, fillHoles, fillPolygon, polygonBox, smooth } from "./region";
import { foldInto, isStale } from "./remote";
import { MAX_BRUSH, MIN_BRUSH, StrokePainter } from "./stroke";
import type {
  BrushShape,
  CaseImage,
  MaskData,
  MaskTool,
  ModelRecord,
  ObjectOperation,
  ObjectSource,
  ObjectState,
  Operation,
  OverlapMode,
  Point,
  Prompts,
  Status,
  StrokeRecord,
} from "./types";

export type { CaseObject } from "./objects";

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

export interface Prediction {
  mask: BoxMask;
  tool: "click" | "box" | "refine";
  /** All prompts the object has now, not only the new ones. */
  prompts: Prompts;
  model: ModelRecord | null;
}

export interface CreateOptions {
  id?: string;
  category?: string | null;
  parent?: string | null;
  source?: ObjectSource;
  mask?: BoxMask;
}

export type HandTool = "brush" | "eraser";

interface RunningStroke {
  object: CaseObject;
  tool: HandTool;
  edit: HandEdit;
  painter: StrokePainter;
  limited: boolean;
}

/**
 * The objects of one case and every change of them. A change is made at once, kept for undo and handed to
 * `onOperations` as the operations of the log.
 */
export class CaseEditor {
  /** Every operation made here, in order, at once. */
  onOperations: ((operations: Operation[]) => void) | null = null;
  /** "#rrggbb"; replace it to colour by class. */
  colourOf: (object: CaseObject) => string = (object) => colourAt(object.index);

  private readonly all = new Map<string, CaseObject>();
  private readonly history: History;
  private readonly emitted = new Set<string>();
  private readonly listeners = new Set<() => void>();
  private readonly dirtyListeners = new Set<(id: string, rect: Rect | null) => void>();
  private shown: CaseObject[] = [];
  private changes = 0;
  private current: string | null = null;
  private stroke: RunningStroke | null = null;
  private batch: { entry: Entry; operations: Operation[] } | null = null;
  private settings: BrushOptions = { shape: "round", size: 24, mode: "overlap", limited: false, tolerance: 10 };
  private window = { low: 0, high: 0 };
  private state: Status = "new";
  /** The object whose creation, without a mask, is the last step: its first mask belongs to the same step. */
  private bare: string | null = null;
  private created = 0;

  constructor(
    readonly width: number,
    readonly height: number,
    private image: CaseImage | null = null,
    depth?: number,
  ) {
    this.history = new History(depth);
    if (image !== null) this.setImage(image);
  }

  /** Grows with every change except the single moves of a running stroke. */
  get version(): number {
    return this.changes;
  }

  /** Called after each change that `version` counts. Returns what ends it. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Called with the pixels that changed, within a stroke too; null: the whole mask, or the object came or went. */
  onDirty(listener: (id: string, rect: Rect | null) => void): () => void {
    this.dirtyListeners.add(listener);
    return () => this.dirtyListeners.delete(listener);
  }

  /** Objects that are not deleted, oldest first. A new array after every change. */
  get objects(): readonly CaseObject[] {
    return this.shown;
  }

  /** Also a deleted one. */
  object(id: string): CaseObject | undefined {
    return this.all.get(id);
  }

  get activeId(): string | null {
    return this.current;
  }

  get active(): CaseObject | null {
    return this.current === null ? null : (this.all.get(this.current) ?? null);
  }

  setActive(id: string | null): void {
    const found = id === null ? undefined : this.all.get(id);
    const next = found !== undefined && !found.deleted ? found.id : null;
    if (next === this.current) return;
    this.endStroke();
    this.current = next;
    this.changed();
  }

  /** The smallest visible object at an image point. */
  objectAt(point: Point): CaseObject | null {
    const x = Math.floor(point[0]);
    const y = Math.floor(point[1]);
    const there = this.shown.filter((object) => !object.hidden && object.mask.get(x, y) === 1);
    return there.reduce<CaseObject | null>((best, object) => (best && best.area <= object.area ? best : object), null);
  }

  get status(): Status {
    return this.state;
  }

  get brush(): Readonly<BrushOptions> {
    return this.settings;
  }

  setBrush(options: Partial<BrushOptions>): void {
    const next = { ...this.settings, ...options };
    next.size = Math.min(MAX_BRUSH, Math.max(MIN_BRUSH, Math.round(next.size)));
    next.tolerance = Math.min(100, Math.max(0, next.tolerance));
    this.settings = next;
    this.changed();
  }

  /** The picture, for the intensity-limited brush. */
  setImage(image: CaseImage): void {
    if (image.width !== this.width || image.height !== this.height) {
      throw new RangeError(`the case has ${this.width} x ${this.height} pixels, not ${image.width} x ${image.height}`);
    }
    this.image = image;
    this.window = { low: image.low, high: image.high };
  }

  /** The display window, for the intensity-limited brush. */
  setWindow(low: number, high: number): void {
    this.window = { low, high };
  }

  /** Replaces everything, the history too. */
  load(objects: readonly ObjectState[], status: Status = "new"): void {
    this.stroke = null;
    this.bare = null;
    this.history.clear();
    const gone = [...this.all.keys()];
    this.all.clear();
    this.state = status;
    for (const state of objects) this.blank(state.id).assume(state);
    if (this.active === null || this.active.deleted) this.current = null;
    this.changed();
    for (const id of new Set([...gone, ...this.all.keys()])) this.dirty(id, null);
  }

  /** Replaces these objects by what the server holds and forgets how to undo their changes. */
  replaceObjects(objects: readonly ObjectState[]): void {
    this.endStroke();
    for (const state of objects) {
      (this.all.get(state.id) ?? this.blank(state.id)).assume(state);
      this.history.drop((change) => change.object === state.id);
    }
    this.settle();
    for (const { id } of objects) this.dirty(id, null);
  }

  /** Operations of others. Own ones that come back are passed over. */
  applyRemote(operations: readonly Operation[]): void {
    this.endStroke();
    this.bare = null;
    const touched = new Set<string>();
    for (const operation of operations) {
      if (this.emitted.has(operation.id)) continue;
      if (operation.kind === "status") {
        this.state = operation.data.status;
        continue;
      }
      const object = this.all.get(operation.object) ?? this.blank(operation.object);
      foldInto(object, operation);
      touched.add(object.id);
      this.history.drop((change) => isStale(change, operation));
    }
    this.settle();
    for (const id of touched) this.dirty(id, null);
  }

  get stroking(): boolean {
    return this.stroke !== null;
  }

  /** Puts the brush down on the active object. False, and nothing happens, without one or when it is locked. */
  beginStroke(tool: HandTool, point: Point): boolean {
    this.endStroke();
    const object = this.active;
    if (object === null || object.locked) return false;
    const limit = this.limitAt(point);
    const { shape, size, mode } = this.settings;
    const edit = new HandEdit(object, tool === "brush" ? 1 : 0, { mode, limit, others: this.othersThan(object) });
    const painter = new StrokePainter(this.width, this.height, shape, size, edit);
    this.stroke = { object, tool, edit, painter, limited: limit !== null };
    this.extendStroke([point]);
    return true;
  }

  extendStroke(points: readonly Point[]): void {
    if (this.stroke === null || points.length === 0) return;
    const { object, painter, edit } = this.stroke;
    const rect = painter.extend(points);
    if (isEmpty(rect)) return;
    this.dirty(object.id, rect);
    for (const other of edit.takeRobbed()) this.dirty(other.id, rect);
  }

  /** Lifts the brush; the stroke becomes one step of the history. False when it changed nothing. */
  endStroke(): boolean {
    if (this.stroke === null) return false;
    const { object, tool, edit, painter, limited } = this.stroke;
    this.stroke = null;
    const stroke: StrokeRecord = {
      shape: painter.shape,
      size: painter.size,
      points: recorded(painter.points),
      ...(limited ? { limited } : {}),
    };
    return this.commitEdit(object, tool, edit, stroke);
  }

  /** Takes the brush away and everything of this stroke with it. */
  cancelStroke(): void {
    if (this.stroke === null) return;
    const { edit } = this.stroke;
    this.stroke = null;
    for (const { object, mask, painted, erased } of edit.changes()) {
      if (painted !== null) object.painted.flip(painted);
      if (erased !== null) object.erased.flip(erased);
      if (mask !== null) this.dirty(object.id, object.mask.flip(mask));
    }
    this.changed();
  }

  /** Pixels visited and copied by the running stroke: what it costs, whatever the machine. */
  get strokeCost(): { visited: number; copied: number } {
    return { visited: this.stroke?.painter.visited ?? 0, copied: this.stroke?.edit.copied ?? 0 };
  }

  /** Adds or takes away the inside of a closed line. */
  lasso(points: readonly Point[], add: boolean): boolean {
    const object = this.editable(this.current);
    const clip = { x: 0, y: 0, width: this.width, height: this.height };
    const box = polygonBox(points, clip);
    if (object === null || points.length < 3 || isEmpty(box)) return false;
    const edit = new HandEdit(object, add ? 1 : 0, { mode: this.settings.mode, others: this.othersThan(object) });
    edit.prepare(box);
    fillPolygon(points, clip, (y, x0, x1) => edit.span(y, x0, x1));
    return this.commitEdit(object, "lasso", edit, { shape: "round", size: 0, points: recorded(points) });
  }

  fillHoles(id = this.current): boolean {
    return this.reshape(id, "fill-holes", fillHoles);
  }

  /** Without `smallest` only the largest part stays. */
  dropIslands(id = this.current, smallest?: number): boolean {
    return this.reshape(id, "drop-islands", (mask) => dropIslands(mask, smallest));
  }

  smooth(id = this.current, radius = 2): boolean {
    return this.reshape(id, "smooth", (mask) => smooth(mask, radius, this.width, this.height));
  }

  /** A new object, made active. Returns its id. */
  create(options: CreateOptions = {}): string {
    this.endStroke();
    const id = options.id ?? newId();
    if (this.all.has(id)) throw new RangeError(`the object ${id} is there already`);
    const object = this.blank(id);
    object.category = options.category ?? null;
    object.parent = options.parent ?? null;
    object.source = options.source ?? "manual";
    if (options.mask !== undefined) object.mask.restore(options.mask);
    this.current = id;
    const operation = newId();
    const { category, parent, source } = object;
    this.commit(
      [{ kind: "field", object: id, operation, field: "deleted", before: true, after: false }],
      [
        {
          id: operation,
          time: Date.now(),
          kind: "create",
          object: id,
          data: { category, parent, source },
          ...(options.mask === undefined ? {} : { mask: object.mask.snapshot() }),
        },
      ],
    );
    this.dirty(id, null);
    this.bare = options.mask === undefined && this.batch === null ? id : null;
    return id;
  }

  /** Takes over the model's mask; what the hand painted and erased stays. False for a locked or unknown object. */
  applyPrediction(id: string, prediction: Prediction): boolean {
    this.endStroke();
    const object = this.editable(id);
    if (object === null) return false;
    const before = contextOf(object);
    const old = object.mask.snapshot();
    object.mask.restore(prediction.mask);
    constrain(object);
    const flipped = difference(old, object.mask.snapshot());
    object.prompts = prediction.prompts;
    object.model = prediction.model;
    object.uncorrected = null;
    const change = maskChange({ object, mask: flipped, painted: null, erased: null }, prediction.tool, before);
    this.commitMasks([change], [this.maskOperation(change, {})]);
    if (flipped !== null) this.dirty(id, flipped);
    return true;
  }

  /** Several predictions as one step of the history. */
  applyPredictions(predictions: readonly (Prediction & { id: string })[]): boolean {
    return this.group(() => predictions.map(({ id, ...rest }) => this.applyPrediction(id, rest)).some(Boolean));
  }

  /** The object's mask before and after what the hand changed since the model's last answer; null if nothing. */
  lastCorrection(id: string): { before: BoxMask; after: BoxMask } | null {
    this.endStroke();
    const object = this.all.get(id);
    if (object === undefined || object.uncorrected === null) return null;
    const before = unpackMask(object.uncorrected);
    const after = object.mask.snapshot();
    return before.equals(after) ? null : { before, after };
  }

  remove(id: string): void {
    this.setField(id, { field: "deleted", before: false, after: true });
  }

  relabel(id: string, category: string | null): void {
    this.setField(id, { field: "category", before: this.all.get(id)?.category ?? null, after: category });
  }

  accept(id: string, accepted = true): void {
    this.setField(id, { field: "accepted", before: this.all.get(id)?.accepted ?? false, after: accepted });
  }

  lock(id: string, locked: boolean): void {
    this.setField(id, { field: "locked", before: this.all.get(id)?.locked ?? false, after: locked });
  }

  setParent(id: string, parent: string | null): void {
    if (parent === id || (parent !== null && !this.all.has(parent))) return;
    this.setField(id, { field: "parent", before: this.all.get(id)?.parent ?? null, after: parent });
  }

  hide(id: string, hidden: boolean): void {
    const object = this.all.get(id);
    if (object === undefined || object.hidden === hidden) return;
    object.hidden = hidden;
    this.changed();
  }

  /** Not in the history. */
  setStatus(status: Status): void {
    if (status === this.state) return;
    this.endStroke();
    this.state = status;
    this.commit([], [{ id: newId(), time: Date.now(), kind: "status", object: null, data: { status } }]);
    this.state = status;
  }

  /** Everything that `work` does is one step of the history and one call of `onOperations`. */
  group<T>(work: () => T): T {
    if (this.batch !== null) return work();
    this.endStroke();
    const batch = { entry: { changes: [] }, operations: [] };
    this.batch = batch;
    try {
      return work();
    } finally {
      this.endStroke();
      this.batch = null;
      this.commit(batch.entry.changes, batch.operations);
    }
  }

  /** How many steps `undo` can take back, a running stroke left out. */
  get undoSteps(): number {
    return this.history.undoable;
  }

  get canUndo(): boolean {
    return this.stroke !== null || this.history.undoable > 0;
  }

  get canRedo(): boolean {
    return this.stroke === null && this.history.redoable > 0;
  }

  undo(): boolean {
    this.endStroke();
    return this.retrace(this.history.back(), true);
  }

  redo(): boolean {
    this.endStroke();
    return this.retrace(this.history.forward(), false);
  }

  private retrace(entry: Entry | null, back: boolean): boolean {
    if (entry === null) return false;
    this.bare = null;
    const operations: Operation[] = [];
    const changes = back ? [...entry.changes].reverse() : entry.changes;
    const moved: string[] = [];
    for (const change of changes) {
      const object = this.all.get(change.object);
      if (object === undefined) continue;
      if (change.kind === "mask") {
        if (change.painted !== null) flipPacked(object.painted, change.painted);
        if (change.erased !== null) flipPacked(object.erased, change.erased);
        if (change.mask !== null) this.dirty(object.id, flipPacked(object.mask, change.mask));
        const context = back ? change.before : change.after;
        object.prompts = context.prompts;
        object.model = context.model;
        object.uncorrected = context.uncorrected;
        operations.push(this.maskOperation(change, { undoes: change.operation }));
      } else {
        assign(object, change, back ? change.before : change.after);
        operations.push(fieldOperation(change, back, { undoes: change.operation }));
        if (change.field === "deleted") moved.push(object.id);
        if (change.field === "deleted" && !object.deleted) this.current = object.id;
      }
      change.operation = operations[operations.length - 1].id;
    }
    this.settle();
    this.emit(operations);
    for (const id of moved) this.dirty(id, null);
    return true;
  }

  private blank(id: string): CaseObject {
    const object = new CaseObject(id, this.created++, this.width, this.height);
    this.all.set(id, object);
    return object;
  }

  private othersThan(object: CaseObject): CaseObject[] {
    return this.shown.filter((other) => other !== object);
  }

  private editable(id: string | null): CaseObject | null {
    const object = id === null ? undefined : this.all.get(id);
    return object === undefined || object.deleted || object.locked ? null : object;
  }

  private limitAt(point: Point): HandEdit["options"]["limit"] {
    const x = Math.floor(point[0]);
    const y = Math.floor(point[1]);
    const inside = x >= 0 && y >= 0 && x < this.width && y < this.height;
    if (!this.settings.limited || this.image === null || !inside) return null;
    const value = this.image.pixels[y * this.width + x];
    const reach = (this.settings.tolerance / 100) * (this.window.high - this.window.low);
    return { pixels: this.image.pixels, width: this.width, low: value - reach, high: value + reach };
  }

  private reshape(id: string | null, tool: MaskTool, work: (mask: BoxMask) => BoxMask): boolean {
    this.endStroke();
    const object = this.editable(id);
    if (object === null || object.area === 0) return false;
    const target = work(object.mask.snapshot());
    const changed = difference(object.mask.snapshot(), target);
    if (changed === null) return false;
    // Smoothing moves an outline a little everywhere; only the other tools say where the object is.
    const binding = tool !== "smooth";
    const edit = new HandEdit(object, 1, { mode: this.settings.mode, others: this.othersThan(object), binding });
    edit.prepare(changed);
    for (let row = 0; row < changed.height; row++) {
      const y = changed.y + row;
      for (let column = 0; column < changed.width; column++) {
        if (changed.bits[row * changed.width + column] === 0) continue;
        const x = changed.x + column;
        edit.span(y, x, x + 1, target.get(x, y));
      }
    }
    return this.commitEdit(object, tool, edit);
  }

  private commitEdit(object: CaseObject, tool: MaskTool, edit: HandEdit, stroke?: StrokeRecord): boolean {
    const changes: MaskChange[] = [];
    const parts = edit.changes();
    for (const flips of parts) {
      const before = contextOf(flips.object);
      if (flips.object.uncorrected === null && flips.mask !== null) {
        const earlier = Bitmask.of(flips.object.mask.snapshot(), this.width, this.height);
        earlier.flip(flips.mask);
        flips.object.uncorrected = packMask(earlier.snapshot());
      }
      changes.push(maskChange(flips, flips.object === object ? tool : "neighbour", before));
    }
    if (changes.length === 0) {
      this.changed();
      return false;
    }
    const operations = changes.map((change) =>
      this.maskOperation(change, {}, change.object === object.id ? stroke : undefined),
    );
    this.commitMasks(changes, operations);
    // A stroke has told of its pixels as it went.
    if (tool === "brush" || tool === "eraser") return true;
    for (const flips of parts) if (flips.mask !== null) this.dirty(flips.object.id, flips.mask);
    return true;
  }

  private setField(id: string, value: FieldValue): void {
    this.endStroke();
    const object = this.all.get(id);
    if (object === undefined || object.deleted || value.before === value.after) return;
    if (object.locked && value.field !== "locked" && value.field !== "accepted") return;
    const { change, operation } = this.assignField(id, value);
    this.commit([change], [operation]);
    if (change.field === "deleted") this.dirty(id, null);
  }

  private assignField(id: string, value: FieldValue): { change: FieldChange; operation: ObjectOperation } {
    const object = this.all.get(id);
    if (object === undefined) throw new RangeError(`no object ${id}`);
    const change: FieldChange = { kind: "field", object: id, operation: "", ...value };
    assign(object, change, change.after);
    const operation = fieldOperation(change, false, {});
    change.operation = operation.id;
    return { change, operation };
  }

  /** The object's masks as they are now, as the operation of `change`, whose `operation` it becomes. */
  private maskOperation(change: MaskChange, links: { undoes?: string }, stroke?: StrokeRecord): ObjectOperation {
    const object = this.all.get(change.object);
    if (object === undefined) throw new RangeError(`no object ${change.object}`);
    const { before, after, tool } = change;
    const data: MaskData = { tool };
    if (before.prompts !== after.prompts) data.prompts = isBlank(object.prompts) ? null : object.prompts;
    if (before.model !== after.model) data.model = object.model;
    if (stroke !== undefined) data.stroke = stroke;
    const operation: ObjectOperation = {
      id: newId(),
      time: Date.now(),
      kind: "mask",
      object: object.id,
      data,
      mask: object.mask.snapshot(),
      ...(change.painted === null ? {} : { painted: object.painted.snapshot() }),
      ...(change.erased === null ? {} : { erased: object.erased.snapshot() }),
      ...links,
    };
    change.operation = operation.id;
    return operation;
  }

  /** An accepted object whose mask changes has to be accepted again: its acceptance goes within the same step. */
  private commitMasks(changes: readonly MaskChange[], operations: readonly Operation[]): void {
    const withdrawn = changes
      .filter(({ object, mask }) => mask !== null && this.all.get(object)?.accepted)
      .map(({ object }) => this.assignField(object, { field: "accepted", before: true, after: false }));
    this.commit(
      [...changes, ...withdrawn.map(({ change }) => change)],
      [...operations, ...withdrawn.map(({ operation }) => operation)],
    );
  }

  private commit(changes: Change[], operations: Operation[]): void {
    if (this.batch !== null) {
      this.batch.entry.changes.push(...changes);
      this.batch.operations.push(...operations);
      this.settle();
      return;
    }
    if (changes.some(({ kind, object }) => kind === "mask" && object === this.bare)) this.history.extend(changes);
    else if (changes.length > 0) this.history.push({ changes });
    this.bare = null;
    this.settle();
    this.emit(operations);
  }

  private emit(operations: Operation[]): void {
    if (operations.length === 0) return;
    for (const { id } of operations) this.emitted.add(id);
    if (this.state === "new") this.state = "in-progress";
    this.onOperations?.(operations);
  }

  private settle(): void {
    if (this.active !== null && this.active.deleted) this.current = null;
    this.changed();
  }

  private changed(): void {
    this.shown = [...this.all.values()].filter((object) => !object.deleted);
    this.changes++;
    if (this.batch !== null) return;
    for (const listener of [...this.listeners]) listener();
  }

  private dirty(id: string, rect: Rect | null): void {
    if (rect !== null && isEmpty(rect)) return;
    for (const listener of [...this.dirtyListeners]) listener(id, rect);
  }
}
