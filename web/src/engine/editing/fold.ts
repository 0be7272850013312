import type { ObjectOperation, ObjectState, Operation, Status } from "../operations";
import { chartPlace } from "./chart_order";
import { isProposed, isWithdrawal, touchesAfter } from "./proposals";

/** What the log says of a case beside its objects. */
export interface CaseFields {
  status: Status;
  /** Numbers of teeth that were marked as missing, in chart order. */
  missing: readonly string[];
}

/** An object of whose log nothing is known yet. */
export function blankState(id: string): ObjectState {
  return {
    id,
    category: null,
    parent: null,
    locked: false,
    accepted: false,
    deleted: false,
    source: "manual",
    score: null,
    model: null,
    prompts: null,
    mask: null,
    painted: null,
    erased: null,
    area: 0,
    revision: 0,
    annotator: "",
    confidence: null,
    proposed: false,
    touches: [],
  };
}

/** The fields of an object that one operation of its log sets, by the same rules as on the server. */
export function fieldsSetBy(operation: ObjectOperation): Partial<ObjectState> {
  switch (operation.kind) {
    case "create": {
      const { category, parent, source, prompts = null, model = null, confidence = null } = operation.data;
      const score = model?.score ?? null;
      const fields = { category, parent, source, prompts, model, score, confidence };
      return { ...fields, ...(operation.mask ? { mask: operation.mask } : {}) };
    }
    case "mask": {
      const fields: Partial<ObjectState> = { mask: operation.mask };
      if (operation.painted) fields.painted = operation.painted;
      if (operation.erased) fields.erased = operation.erased;
      // Absent: unchanged; null: removed, as by an undo.
      const { prompts, model } = operation.data;
      if (prompts !== undefined) fields.prompts = prompts;
      if (model !== undefined) {
        fields.model = model;
        fields.score = model?.score ?? null;
      }
      return fields;
    }
    case "relabel":
      return { category: operation.data.category };
    case "parent":
      return { parent: operation.data.parent };
    case "lock":
      return { locked: operation.data.locked };
    case "accept":
      return { accepted: operation.data.accepted };
    case "delete":
      return { deleted: operation.data.deleted };
  }
}

/** The object after one more operation of its log; `state` null: it does not exist yet. */
export function fold(state: ObjectState | null, operation: Operation): ObjectState | null {
  if (operation.object === null) return state;
  const fields = { ...(state ?? blankState(operation.object)), ...fieldsSetBy(operation) };
  const touches = touchesAfter(fields, operation);
  return { ...fields, touches, proposed: isProposed({ ...fields, touches }) };
}

/** The case after one more operation: its first edit begins it; imports and proposals are no edits. */
export function foldCase({ status, missing }: CaseFields, operation: Operation): CaseFields {
  if (operation.kind === "status") return { status: operation.data.status, missing };
  const source = operation.kind === "create" ? operation.data.source : null;
  const edits = source !== "import" && source !== "proposal" && !isWithdrawal(operation);
  return {
    status: status === "new" && edits ? "in-progress" : status,
    missing: operation.kind === "missing" ? withMissing(missing, operation.data) : missing,
  };
}

/** The numbers in chart order, with one more or one less. */
export function withMissing(numbers: readonly string[], data: { number: string; missing: boolean }): string[] {
  const others = numbers.filter((number) => number !== data.number);
  const marked = data.missing ? [...others, data.number] : others;
  return marked.sort((a, b) => chartPlace(a) - chartPlace(b));
}
