import type { CaseImage } from "../case_image";
import type { Point } from "../geometry/point";
import type { Rect } from "../geometry/rect";
import type { BoxMask } from "../masks/mask";
import { newId } from "../new_id";
import type { ObjectSource, ObjectState, Operation, Status } from "../operations";
import { colourAt } from "../palette";
import { CaseLog } from "./case_log";
import type { CaseObject } from "./case_object";
import { CaseObjects } from "./case_objects";
import { type FieldValue, History } from "./history";
import { type BrushOptions, type BrushTool, MaskEdits } from "./mask_edits";
import { type Prediction, Predictions } from "./predictions";
import { RemoteChanges } from "./remote_changes";

export type { CaseObject } from "./case_object";
export type { Choice, MaskChoices } from "./mask_choices";
export type { BrushOptions, BrushTool } from "./mask_edits";
export type { Prediction } from "./predictions";

export interface CreateOptions {
  id?: string;
  category?: string | null;
  parent?: string | null;
  source?: ObjectSource;
  mask?: BoxMask;
}

/**
 * The objects of one case and every change of them. A change is made at once, kept for undo and handed to
 * `onOperations` as the operations of the log.
 */
export class CaseEditor {
  /** "#rrggbb"; replace it to colour by class. */
  colourOf: (object: CaseObject) => string = (object) => colourAt(object.index);

  private readonly all: CaseObjects;
  private readonly history: History;
  private readonly log: CaseLog;
  private readonly edits: MaskEdits;
  private readonly predictions: Predictions;
  private readonly remote: RemoteChanges;

  constructor(
    readonly width: number,
    readonly height: number,
    image: CaseImage | null = null,
    depth?: number,
  ) {
    this.all = new CaseObjects(width, height);
    this.history = new History(depth);
    this.log = new CaseLog(this.all, this.history);
    this.edits = new MaskEdits(width, height, this.all, this.log);
    this.predictions = new Predictions(this.all, this.log);
    this.remote = new RemoteChanges(this.all, this.history, this.log);
    if (image !== null) this.setImage(image);
  }

  /** Every operation made here, in order, at once. */
  get onOperations(): ((operations: Operation[]) => void) | null {
    return this.log.onOperations;
  }

  set onOperations(listener: ((operations: Operation[]) => void) | null) {
    this.log.onOperations = listener;
  }

  /** Grows with every change except the single moves of a running stroke. */
  get version(): number {
    return this.all.version;
  }

  /** Calls back after each change that `version` counts. Returns the function that ends it. */
  subscribe(listener: () => void): () => void {
    return this.all.subscribe(listener);
  }

  /** Called with the pixels that changed, within a stroke too; null: the whole mask, or the object came or went. */
  onDirty(listener: (id: string, rect: Rect | null) => void): () => void {
    return this.all.onDirty(listener);
  }

  /** Objects that are not deleted, oldest first. A new array after every change. */
  get objects(): readonly CaseObject[] {
    return this.all.list;
  }

  /** Also a deleted one. */
  object(id: string): CaseObject | undefined {
    return this.all.get(id);
  }

  get activeId(): string | null {
    return this.all.activeId;
  }

  get active(): CaseObject | null {
    return this.all.active;
  }

  setActive(id: string | null): void {
    const found = id === null ? undefined : this.all.get(id);
    const next = found !== undefined && !found.deleted ? found.id : null;
    if (next === this.all.activeId) return;
    this.endStroke();
    this.all.activate(next);
    this.all.changed();
  }

  /** The smallest visible object at an image point. */
  objectAt(point: Point): CaseObject | null {
    return this.all.at(point);
  }

  get status(): Status {
    return this.log.status;
  }

  /** Numbers of teeth that were marked as missing, in chart order. */
  get missing(): readonly string[] {
    return this.log.missing;
  }

  /** The picture, for the intensity-limited brush. */
  setImage(image: CaseImage): void {
    if (image.width !== this.width || image.height !== this.height) {
      throw new RangeError(
        `the case has ${this.width} x ${this.height} pixels, not ${image.width} x ${image.height}`,
      );
    }
    this.edits.image = image;
    this.setWindow(image.low, image.high);
  }

  /** The display window, for the intensity-limited brush. */
  setWindow(low: number, high: number): void {
    this.edits.window = { low, high };
  }

  /** Replaces everything, the history too. */
  load(objects: readonly ObjectState[], status: Status = "new", missing: readonly string[] = []): void {
    this.edits.drop();
    this.remote.load(objects, { status, missing });
  }

  /** Replaces these objects by what the server holds and forgets how to undo their changes. */
  replaceObjects(objects: readonly ObjectState[]): void {
    this.endStroke();
    this.remote.replace(objects);
  }

  /** Applies operations of other clients; this client's own are skipped. */
  applyRemote(operations: readonly Operation[]): void {
    this.endStroke();
    this.remote.apply(operations);
  }

  get brush(): Readonly<BrushOptions> {
    return this.edits.brush;
  }

  setBrush(options: Partial<BrushOptions>): void {
    this.edits.setBrush(options);
    this.all.changed();
  }

  get stroking(): boolean {
    return this.edits.stroking;
  }

  /** Starts a stroke on the active object. Does nothing and returns false when no object is active or it is locked. */
  beginStroke(tool: BrushTool, point: Point): boolean {
    return this.edits.begin(tool, point);
  }

  extendStroke(points: readonly Point[]): void {
    this.edits.extend(points);
  }

  /** Ends the stroke, which becomes one step of the history. False when it changed nothing. */
  endStroke(): boolean {
    return this.edits.end();
  }

  /** Cancels the stroke and reverts its pixels. */
  cancelStroke(): void {
    this.edits.cancel();
  }

  /** Pixels that the running stroke has visited and copied: its cost, independent of the machine. */
  get strokeCost(): { visited: number; copied: number } {
    return this.edits.cost;
  }

  /** Adds or removes the inside of a closed line. */
  lasso(points: readonly Point[], add: boolean): boolean {
    return this.edits.lasso(points, add);
  }

  fillHoles(id = this.activeId): boolean {
    return this.edits.fillHoles(id);
  }

  /** Without `smallest` only the largest part stays. */
  dropIslands(id = this.activeId, smallest?: number): boolean {
    return this.edits.dropIslands(id, smallest);
  }

  /** strength: 1 (fine) to 5 (coarse), by the size of the object. */
  smooth(id = this.activeId, strength = 2): boolean {
    return this.edits.smooth(id, strength);
  }

  /** A new object, made active. Returns its id. */
  create(options: CreateOptions = {}): string {
    this.endStroke();
    const id = options.id ?? newId();
    if (this.all.get(id) !== undefined) throw new RangeError(`the object ${id} is there already`);
    const object = this.all.add(id);
    object.category = options.category ?? null;
    object.parent = options.parent ?? null;
    object.source = options.source ?? "manual";
    if (options.mask !== undefined) object.mask.restore(options.mask);
    this.all.activate(id);
    const { category, parent, source } = object;
    this.log.created({
      id: newId(),
      time: Date.now(),
      kind: "create",
      object: id,
      data: { category, parent, source },
      ...(options.mask === undefined ? {} : { mask: object.mask.snapshot() }),
    });
    this.all.dirty(id, null);
    return id;
  }

  /** Takes over the model's mask; painted and erased pixels stay as they are. False for a locked or unknown object. */
  applyPrediction(id: string, prediction: Prediction): boolean {
    this.endStroke();
    return this.predictions.apply(id, prediction);
  }

  /** Takes another of the masks that the model offered for the first click. False where there is no such other mask. */
  choose(id: string, index: number): boolean {
    this.endStroke();
    return this.predictions.choose(id, index);
  }

  /** For a label that names parts: takes the part of what the model offered, unless the annotator has chosen. */
  preferPart(id: string): boolean {
    this.endStroke();
    return this.predictions.preferPart(id);
  }

  /** The object's mask before and after the manual changes since the model's last answer; null without any. */
  lastCorrection(id: string): { before: BoxMask; after: BoxMask } | null {
    this.endStroke();
    return this.predictions.lastCorrection(id);
  }

  remove(id: string): void {
    this.setField(id, { field: "deleted", before: false, after: true });
  }

  /** Deletes an object that never got a mask, as if it had not been created. False for one that has or had one. */
  discard(id: string): boolean {
    const object = this.all.get(id);
    if (object === undefined || object.deleted || object.area > 0) return false;
    if (
      object.painted.area > 0 ||
      object.erased.area > 0 ||
      object.prompts.clicks.length > 0 ||
      object.prompts.box !== null
    )
      return false;
    this.log.discard(id);
    return true;
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
    if (parent === id || (parent !== null && this.all.get(parent) === undefined)) return;
    this.setField(id, { field: "parent", before: this.all.get(id)?.parent ?? null, after: parent });
  }

  hide(id: string, hidden: boolean): void {
    const object = this.all.get(id);
    if (object === undefined || object.hidden === hidden) return;
    object.hidden = hidden;
    this.all.changed();
  }

  /** A step of the history, so that *Done* can be taken back. */
  setStatus(status: Status): void {
    if (status === this.log.status) return;
    this.endStroke();
    this.log.setStatus(status);
  }

  /** Marks a tooth, by its FDI number, as one that the patient does not have, or takes the mark back. */
  setMissing(number: string, missing: boolean): void {
    if (this.log.missing.includes(number) === missing) return;
    this.endStroke();
    this.log.setMissing(number, missing);
  }

  /** Everything that `work` does is one step of the history and one call of `onOperations`. */
  group<T>(work: () => T): T {
    if (this.log.grouping) return work();
    this.endStroke();
    return this.log.group(() => {
      try {
        return work();
      } finally {
        this.endStroke();
      }
    });
  }

  /** How many steps `undo` can undo, not counting a running stroke. */
  get undoSteps(): number {
    return this.history.undoable;
  }

  get canUndo(): boolean {
    return this.stroking || this.history.undoable > 0;
  }

  get canRedo(): boolean {
    return !this.stroking && this.history.redoable > 0;
  }

  undo(): boolean {
    this.endStroke();
    return this.log.retrace(this.history.back(), true);
  }

  redo(): boolean {
    this.endStroke();
    return this.log.retrace(this.history.forward(), false);
  }

  private setField(id: string, value: FieldValue): void {
    this.endStroke();
    const object = this.all.get(id);
    if (object === undefined || object.deleted || value.before === value.after) return;
    if (object.locked && value.field !== "locked" && value.field !== "accepted") return;
    this.log.setField(id, value);
  }
}
