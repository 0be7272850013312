import type { ObjectOperation, ObjectState, Operation } from "../operations";

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
  };
}

/** The fields of an object that one operation of its log sets, by the same rules as on the server. */
export function fieldsSetBy(operation: ObjectOperation): Partial<ObjectState> {
  switch (operation.kind) {
    case "create": {
      const { category, parent, source } = operation.data;
      return { category, parent, source, ...(operation.mask ? { mask: operation.mask } : {}) };
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
  return { ...(state ?? blankState(operation.object)), ...fieldsSetBy(operation) };
}
