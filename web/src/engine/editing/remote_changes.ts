import type { ObjectState, Operation } from "../operations";
import type { CaseLog } from "./case_log";
import type { CaseObjects } from "./case_objects";
import { isStale } from "./changes";
import { type CaseFields, fieldsSetBy, foldCase } from "./fold";
import type { History } from "./history";

/** Brings the server's state and the operations of other clients into a case; steps of undo that they contradict go. */
export class RemoteChanges {
  constructor(
    private readonly objects: CaseObjects,
    private readonly history: History,
    private readonly log: CaseLog,
  ) {}

  /** Replaces all objects, and clears the history. */
  load(states: readonly ObjectState[], { status, missing }: CaseFields): void {
    this.log.separate();
    this.history.clear();
    const gone = this.objects.clear();
    this.log.status = status;
    this.log.missing = missing;
    for (const state of states) this.objects.add(state.id).setFields(state);
    this.objects.settle();
    for (const id of new Set([...gone, ...states.map((state) => state.id)])) this.objects.dirty(id, null);
  }

  /** Replaces these objects, and removes their changes from the history. */
  replace(states: readonly ObjectState[]): void {
    for (const state of states) {
      (this.objects.get(state.id) ?? this.objects.add(state.id)).setFields(state);
      this.history.drop((change) => change.object === state.id);
    }
    this.objects.settle();
    for (const { id } of states) this.objects.dirty(id, null);
  }

  /** Applies operations of other clients; this client's own are skipped. */
  apply(operations: readonly Operation[]): void {
    this.log.separate();
    const touched = new Set<string>();
    for (const operation of operations) {
      if (this.log.isOwn(operation)) continue;
      const { status, missing } = foldCase(this.log, operation);
      this.log.status = status;
      this.log.missing = missing;
      if (operation.kind === "status") {
        this.history.drop((change) => change.kind === "status");
        continue;
      }
      if (operation.kind === "missing") {
        const { number } = operation.data;
        this.history.drop((change) => change.kind === "missing" && change.number === number);
        continue;
      }
      const object = this.objects.get(operation.object) ?? this.objects.add(operation.object);
      object.setFields(fieldsSetBy(operation));
      object.noteTouch(operation);
      touched.add(object.id);
      this.history.drop((change) => isStale(change, operation));
    }
    this.objects.settle();
    for (const id of touched) this.objects.dirty(id, null);
  }
}
