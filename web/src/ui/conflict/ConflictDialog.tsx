import { useEffect, useRef } from "react";

import type { Choice, Conflict } from "../../api/sync/sync";
import type { ObjectState } from "../../api/types";
import { nameOf } from "../labels/label_names";
import { visible } from "../labels/visible_text";
import { useBench, useSync, useWorkbench } from "../state/context";
import { MaskPreview } from "./MaskPreview";

/** Asks, object by object, which version to keep where two people changed the same one. */
export function ConflictDialog() {
  const { bench } = useWorkbench();
  const { conflicts } = useSync();
  const conflict: Conflict | undefined = conflicts[0];
  const dialog = useRef<HTMLDialogElement>(null);
  const both = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!conflict) return dialog.current?.close();
    if (!dialog.current?.open) dialog.current?.showModal();
    // A stray Enter must not throw anything away.
    both.current?.focus();
  }, [conflict]);
  // A case that is being opened may ask before its picture is there.
  useBench((state) => state.editor);
  const choose = (choice: Choice) => {
    if (!conflict) return;
    const { editor, sync } = bench;
    const atIt = editor?.activeId === conflict.object;
    const mine = sync.resolve(conflict.object, choice);
    // The annotator goes on with the version that was kept.
    if (atIt && mine !== null) editor.setActive(mine);
  };
  const name = (state: ObjectState | null) =>
    !state || state.deleted ? "deleted" : nameOf(state.category, bench.labels);
  return (
    <dialog
      ref={dialog}
      className="conflict"
      aria-labelledby="conflict-title"
      // The question must be answered: work waits behind it.
      onCancel={(event) => event.preventDefault()}
      data-testid="conflict-dialog"
    >
      {conflict && (
        <>
          <h2 id="conflict-title">This object was changed here and elsewhere</h2>
          {conflicts.length > 1 && <p className="hint">{conflicts.length} objects to decide</p>}
          <div className="versions">
            <figure>
              <MaskPreview state={conflict.theirs} other={conflict.mine} stage={bench.stage} />
              <figcaption>
                Theirs: {name(conflict.theirs)}
                {conflict.theirs?.annotator && (
                  <>
                    {" ("}
                    <bdi>{visible(conflict.theirs.annotator)}</bdi>)
                  </>
                )}
              </figcaption>
            </figure>
            <figure>
              <MaskPreview state={conflict.mine} other={conflict.theirs} stage={bench.stage} />
              <figcaption>Mine: {name(conflict.mine)}</figcaption>
            </figure>
          </div>
          <div className="choices">
            <button type="button" className="quiet" onClick={() => choose("theirs")} data-testid="conflict-theirs">
              Theirs
            </button>
            <button type="button" className="quiet" onClick={() => choose("mine")} data-testid="conflict-mine">
              Mine
            </button>
            <button
              ref={both}
              type="button"
              className="quiet primary"
              onClick={() => choose("both")}
              data-testid="conflict-both"
            >
              Keep both
            </button>
          </div>
          <p className="hint">
            The white line is the outline of the other version. Keep both: mine becomes an object of its own.
          </p>
        </>
      )}
    </dialog>
  );
}
