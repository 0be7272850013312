import { flipPacked } from "../masks/packed_mask";
import { newId } from "../new_id";
import type {
  MaskData,
  MissingOperation,
  ObjectOperation,
  Operation,
  Status,
  StatusOperation,
  StrokeRecord,
} from "../operations";
import type { CaseObjects } from "./case_objects";
import { assign, fieldOperation, isBlank } from "./changes";
import { withMissing } from "./fold";
import type {
  Change,
  Entry,
  FieldChange,
  FieldValue,
  History,
  MaskChange,
  MissingChange,
  StatusChange,
} from "./history";

/** Turns each change of a case into a step of the history and into operations of the log. */
export class CaseLog {
  onOperations: ((operations: Operation[]) => void) | null = null;
  status: Status = "new";
  /** Numbers of teeth that were marked as missing, in chart order. */
  missing: readonly string[] = [];
  private readonly emitted = new Set<string>();
  private batch: { entry: Entry; operations: Operation[] } | null = null;
  /** The object that the last step created without a mask: its first mask joins that step. */
  private justCreated: string | null = null;

  constructor(
    private readonly objects: CaseObjects,
    private readonly history: History,
  ) {}

  /** Whether an operation was made here. */
  isOwn({ id }: Operation): boolean {
    return this.emitted.has(id);
  }

  get grouping(): boolean {
    return this.batch !== null;
  }

  /** Everything that `work` does is one step of the history and one call of `onOperations`. */
  group<T>(work: () => T): T {
    const batch = { entry: { changes: [] }, operations: [] };
    this.batch = batch;
    this.objects.quiet = true;
    try {
      return work();
    } finally {
      this.batch = null;
      this.objects.quiet = false;
      this.commit(batch.entry.changes, batch.operations);
    }
  }

  setStatus(status: Status): void {
    const change: StatusChange = { kind: "status", object: null, before: this.status, after: status, operation: "" };
    this.status = status;
    this.commit([change], [this.statusOperation(change, status, {})]);
    this.status = status;
  }

  setMissing(number: string, missing: boolean): void {
    const change: MissingChange = {
      kind: "missing",
      object: null,
      number,
      before: !missing,
      after: missing,
      operation: "",
    };
    this.missing = withMissing(this.missing, { number, missing });
    this.commit([change], [this.missingOperation(change, missing, {})]);
  }

  setField(id: string, value: FieldValue): void {
    const { change, operation } = this.assignField(id, value);
    this.commit([change], [operation]);
    if (change.field === "deleted") this.objects.dirty(id, null);
  }

  /** `create` is the operation that made the object. */
  created(create: ObjectOperation & { kind: "create" }): void {
    const { id: operation, object, mask } = create;
    this.commit([{ kind: "field", object, operation, field: "deleted", before: true, after: false }], [create]);
    this.justCreated = mask === undefined && this.batch === null ? object : null;
  }

  /** Records masks that have changed; `stroke` is the path of the brush in the first of them. */
  changedMasks(changes: readonly MaskChange[], stroke?: StrokeRecord): void {
    for (const { object } of changes) this.show(object);
    const operations = changes.map((change, index) =>
      this.maskOperation(change, {}, index === 0 ? stroke : undefined),
    );
    // An accepted object whose mask changes has to be accepted again: the same step withdraws its acceptance.
    const withdrawn = changes
      .filter(({ object, mask }) => mask !== null && this.objects.get(object)?.accepted)
      .map(({ object }) => this.assignField(object, { field: "accepted", before: true, after: false }));
    this.commit(
      [...changes, ...withdrawn.map(({ change }) => change)],
      [...operations, ...withdrawn.map(({ operation }) => operation)],
    );
  }

  /** Undoes a step or redoes it. */
  retrace(entry: Entry | null, back: boolean): boolean {
    if (entry === null) return false;
    this.justCreated = null;
    const operations: Operation[] = [];
    const moved: string[] = [];
    let status = this.status;
    for (const change of back ? [...entry.changes].reverse() : entry.changes) {
      if (change.kind === "status") {
        status = back ? change.before : change.after;
        operations.push(this.statusOperation(change, status, { undoes: change.operation }));
        continue;
      }
      if (change.kind === "missing") {
        const missing = back ? change.before : change.after;
        this.missing = withMissing(this.missing, { number: change.number, missing });
        operations.push(this.missingOperation(change, missing, { undoes: change.operation }));
        continue;
      }
      const object = this.objects.get(change.object);
      if (object === undefined) continue;
      let operation: ObjectOperation;
      if (change.kind === "mask") {
        if (change.painted !== null) flipPacked(object.painted, change.painted);
        if (change.erased !== null) flipPacked(object.erased, change.erased);
        if (change.mask !== null) this.objects.dirty(object.id, flipPacked(object.mask, change.mask));
        object.hidden = false;
        Object.assign(object, back ? change.before : change.after);
        operation = this.maskOperation(change, { undoes: change.operation });
      } else {
        assign(object, change, back ? change.before : change.after);
        operation = fieldOperation(change, back, { undoes: change.operation });
        if (change.field === "deleted") moved.push(object.id);
        if (change.field === "deleted" && !object.deleted) this.objects.activate(object.id);
      }
      change.operation = operation.id;
      operations.push(operation);
    }
    this.status = status;
    this.noteTouches(operations);
    this.objects.settle();
    this.emit(operations);
    // A case that was new and closed at once is new again.
    if (operations.at(-1)?.kind === "status") this.status = status;
    for (const id of moved) this.objects.dirty(id, null);
    return true;
  }

  /** Deletes an object that never got a mask, and removes its creation from the history. */
  discard(id: string): void {
    const object = this.objects.get(id);
    if (object === undefined) return;
    const { operation } = this.assignField(id, { field: "deleted", before: false, after: true });
    this.history.drop((change) => change.object === id);
    this.commit([], [operation]);
    this.objects.dirty(id, null);
  }

  /** The first mask of the object created last becomes a step of its own. */
  separate(): void {
    this.justCreated = null;
  }

  /** A mask that changes is shown. */
  private show(id: string): void {
    const object = this.objects.get(id);
    if (object !== undefined) object.hidden = false;
  }

  private assignField(id: string, value: FieldValue): { change: FieldChange; operation: ObjectOperation } {
    const object = this.objects.get(id);
    if (object === undefined) throw new RangeError(`no object ${id}`);
    const change: FieldChange = { kind: "field", object: id, operation: "", ...value };
    assign(object, change, change.after);
    const operation = fieldOperation(change, false, {});
    change.operation = operation.id;
    return { change, operation };
  }

  private missingOperation(change: MissingChange, missing: boolean, links: { undoes?: string }): MissingOperation {
    const operation: MissingOperation = {
      id: newId(),
      time: Date.now(),
      kind: "missing",
      object: null,
      data: { number: change.number, missing },
      ...links,
    };
    change.operation = operation.id;
    return operation;
  }

  private statusOperation(change: StatusChange, status: Status, links: { undoes?: string }): StatusOperation {
    const operation: StatusOperation = {
      id: newId(),
      time: Date.now(),
      kind: "status",
      object: null,
      data: { status },
      ...links,
    };
    change.operation = operation.id;
    return operation;
  }

  /** The object's masks as they are now, as the operation of `change`, whose `operation` it becomes. */
  private maskOperation(change: MaskChange, links: { undoes?: string }, stroke?: StrokeRecord): ObjectOperation {
    const object = this.objects.get(change.object);
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

  private noteTouches(operations: readonly Operation[]): void {
    for (const operation of operations) {
      if (operation.object !== null) this.objects.get(operation.object)?.noteTouch(operation);
    }
  }

  private commit(changes: Change[], operations: Operation[]): void {
    this.noteTouches(operations);
    if (this.batch !== null) {
      this.batch.entry.changes.push(...changes);
      this.batch.operations.push(...operations);
      this.objects.settle();
      return;
    }
    if (changes.some(({ kind, object }) => kind === "mask" && object === this.justCreated))
      this.history.extend(changes);
    else if (changes.length > 0) this.history.push({ changes });
    this.justCreated = null;
    this.objects.settle();
    this.emit(operations);
  }

  private emit(operations: Operation[]): void {
    if (operations.length === 0) return;
    for (const { id } of operations) this.emitted.add(id);
    if (this.status === "new") this.status = "in-progress";
    this.onOperations?.(operations);
  }
}
