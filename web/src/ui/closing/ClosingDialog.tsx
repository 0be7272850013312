import { type CSSProperties, useEffect, useRef } from "react";

import type { CaseObject } from "../../engine/editing/case_editor";
import { focusCanvas } from "../canvas/focus_canvas";
import { Switch } from "../controls/Switch";
import { nameOf } from "../labels/label_names";
import { inChartOrder } from "../labels/object_order";
import { useBench, usePreferences, useWorkbench } from "../state/context";
import { fullSet, type Reason } from "./closing_checks";

const MAX_LISTED = 12;

/** The text for a reason; `count`: of its objects, or of all objects for "few" and "none". */
export function reasonText(kind: Reason["kind"], count: number, full: number): string {
  const objects = count === 1 ? "1 object" : `${count} objects`;
  switch (kind) {
    case "none":
      return "The case has no objects.";
    case "few":
      return `The case has only ${objects}. A full set of teeth has ${full}.`;
    case "empty":
      return count === 1 ? "1 object has an empty mask:" : `${count} objects have an empty mask:`;
    case "unlabelled":
      return count === 1 ? "1 object has no label:" : `${count} objects have no label:`;
    case "number-twice":
      return "These objects share a tooth number:";
    case "same-pixels":
      return "These objects cover mostly the same pixels as another one:";
    case "not-accepted":
      return count === 1 ? "1 object is not accepted:" : `${count} objects are not accepted:`;
  }
}

/** Asks before a case is closed against which there are reasons. The default answer leaves it open. */
export function ClosingDialog() {
  const { bench, actions } = useWorkbench();
  const question = useBench((state) => state.closingQuestion);
  const asksFew = usePreferences((preferences) => preferences.askFew);
  const dialog = useRef<HTMLDialogElement>(null);
  const safe = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!question) return dialog.current?.close();
    if (!dialog.current?.open) dialog.current?.showModal();
    safe.current?.focus();
  }, [question]);

  const objects = bench.editor?.objects ?? [];
  const listed = (reason: Reason): CaseObject[] =>
    inChartOrder(
      objects.filter(({ id }) => reason.objects.includes(id)),
      bench.labels,
    );
  const first = question?.reasons.map(listed).find((found) => found.length > 0)?.[0];
  const leave = () => {
    bench.state.set({ closingQuestion: null });
    focusCanvas();
  };
  const show = (object: CaseObject) => {
    leave();
    actions.focus(object.id);
  };

  return (
    <dialog
      ref={dialog}
      className="closing"
      aria-labelledby="closing-title"
      // The dialog may be open again, with another question, when the event of the last one arrives.
      onClose={() => !dialog.current?.open && leave()}
      data-testid="closing-dialog"
    >
      {question && (
        <>
          <h2 id="closing-title">Is this case finished?</h2>
          <ul className="reasons">
            {question.reasons.map((reason) => {
              const found = listed(reason);
              return (
                <li key={reason.kind} data-reason={reason.kind}>
                  {reasonText(reason.kind, found.length || objects.length, fullSet(bench.labels))}
                  {found.length > 0 && (
                    <div className="reason-objects">
                      {found.slice(0, MAX_LISTED).map((object) => (
                        <button
                          type="button"
                          key={object.id}
                          className="chip"
                          style={{ "--chip": bench.colourOf(object) } as CSSProperties}
                          title="Go to this object"
                          onClick={() => show(object)}
                        >
                          {nameOf(object.category, bench.labels)}
                        </button>
                      ))}
                      {found.length > MAX_LISTED && (
                        <span className="hint">and {found.length - MAX_LISTED} more</span>
                      )}
                    </div>
                  )}
                  {reason.kind === "few" && (
                    <Switch
                      label="Ask when a case has only few objects"
                      checked={asksFew}
                      onChange={(askFew) => bench.preferences.set({ askFew })}
                      testid="ask-few"
                    />
                  )}
                </li>
              );
            })}
          </ul>
          <div className="choices">
            <button
              type="button"
              className="quiet"
              onClick={() => actions.caseClosing.close(question.opensNext)}
              data-testid="close-anyway"
            >
              Done all the same
            </button>
            <button
              ref={safe}
              type="button"
              className="quiet primary"
              onClick={() => (first ? show(first) : leave())}
              data-testid="closing-back"
            >
              {first ? "Show the first" : "Go on labelling"}
            </button>
          </div>
        </>
      )}
    </dialog>
  );
}
