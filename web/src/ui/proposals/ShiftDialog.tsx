import { useEffect, useRef } from "react";

import { focusCanvas } from "../canvas/focus_canvas";
import { useBench, useWorkbench } from "../state/context";
import type { Move } from "./run_shift";

/** Where a shift would take a number away or give it twice: the new numbers of the run, what is against it, and the choice. */
export function ShiftDialog() {
  const { bench, actions } = useWorkbench();
  const direction = useBench((state) => state.shift);
  const dialog = useRef<HTMLDialogElement>(null);
  const shift = useRef<HTMLButtonElement>(null);
  const cancel = useRef<HTMLButtonElement>(null);
  const moves = direction === null ? [] : actions.proposals.shift(direction);
  const warnings = moves.flatMap((move) => warningOf(move) ?? []);
  const warned = warnings.length > 0;
  useEffect(() => {
    if (direction === null) return dialog.current?.close();
    if (!dialog.current?.open) dialog.current?.showModal();
    (warned ? cancel : shift).current?.focus();
  }, [direction, warned]);

  const leave = () => {
    bench.state.set({ shift: null });
    focusCanvas();
  };
  const carryOut = () => {
    if (direction !== null) actions.proposals.carryOutShift(direction);
    leave();
  };
  const other = direction === "mesial" ? "distal" : "mesial";
  return (
    <dialog
      ref={dialog}
      className="shift"
      aria-labelledby="shift-title"
      onClose={() => !dialog.current?.open && leave()}
      data-testid="shift-dialog"
    >
      {direction !== null && (
        <>
          <h2 id="shift-title">Shift the numbers {direction}ly by one</h2>
          <ul className="moves">
            {moves.map(({ id, from, to, onto }) => (
              <li key={id} className={to === null || onto !== null ? "warn" : ""}>
                {from} <span aria-hidden="true">→</span>
                <span className="unseen">becomes</span> <strong>{to ?? "no number"}</strong>
              </li>
            ))}
          </ul>
          {warnings.map((text) => (
            <p key={text} className="warn" role="status">
              {text}
            </p>
          ))}
          <div className="choices">
            <button
              type="button"
              className="quiet"
              onClick={() => bench.state.set({ shift: other })}
              data-testid="shift-other"
            >
              {other === "mesial" ? "Mesially" : "Distally"} instead
            </button>
            <button ref={cancel} type="button" className="quiet" onClick={leave} data-testid="shift-cancel">
              Cancel
            </button>
            <button
              ref={shift}
              type="button"
              className="quiet primary"
              onClick={carryOut}
              data-testid="shift-carry-out"
            >
              {warned ? "Shift all the same" : "Shift"}
            </button>
          </div>
        </>
      )}
    </dialog>
  );
}

function warningOf({ from, to, onto }: Move): string | null {
  if (to === null) return `There is no number beyond ${from}: this tooth will have none.`;
  if (onto === "accepted") return `${to} is accepted as another tooth: its number would be there twice.`;
  return onto === null ? null : `${to} is there already: its number would be there twice.`;
}
