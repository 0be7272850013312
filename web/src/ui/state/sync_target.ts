import type { SyncTarget } from "../../api/sync/sync";
import type { ObjectState, Operation } from "../../api/types";
import type { CaseEditor, CaseObject } from "../../engine/editing/case_editor";

function stateOf(object: CaseObject): ObjectState {
  const { id, category, parent, locked, accepted, deleted, source, score, model, prompts, area } = object;
  const { confidence, proposed, touches } = object;
  return {
    id,
    category,
    parent,
    locked,
    accepted,
    deleted,
    source,
    score,
    model,
    prompts,
    mask: object.mask.snapshot(),
    painted: object.painted.snapshot(),
    erased: object.erased.snapshot(),
    area,
    revision: 0,
    annotator: null,
    confidence,
    proposed,
    touches,
  };
}

/**
 * The editor as the target that shows the work of others. During a stroke their operations wait, because applying them would end it.
 */
export function syncTargetOf(editor: CaseEditor): SyncTarget {
  const waiting: Operation[] = [];
  const takeIn = () => {
    if (editor.stroking || waiting.length === 0) return;
    editor.applyRemote(waiting.splice(0));
  };
  editor.subscribe(takeIn);
  return {
    apply(operations) {
      waiting.push(...operations);
      takeIn();
    },
    replace: (objects) => editor.replaceObjects(objects),
    object(id) {
      const object = editor.object(id);
      return object ? stateOf(object) : null;
    },
  };
}
