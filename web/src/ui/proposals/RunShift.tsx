import type { CaseObject } from "../../engine/editing/case_editor";
import { keyOf } from "../keyboard/shortcuts";
import { isTooth } from "../labels/fdi";
import { useWorkbench } from "../state/context";

/** Shifts the numbers of the active tooth and those behind it by one. */
export function RunShift({ active }: { active: CaseObject }) {
  const { actions } = useWorkbench();
  if (active.category === null || !isTooth(active.category)) return null;
  return (
    <div className="run-shift" role="group" aria-label={`Numbers from ${active.category} on`}>
      <span>From {active.category} on, by one</span>
      <button
        type="button"
        className="quiet"
        title={`Towards the midline (${keyOf("shift-mesial")})`}
        onClick={() => actions.proposals.requestShift("mesial")}
        data-testid="shift-mesial"
      >
        mesially
      </button>
      <button
        type="button"
        className="quiet"
        title={`Away from the midline (${keyOf("shift-distal")})`}
        onClick={() => actions.proposals.requestShift("distal")}
        data-testid="shift-distal"
      >
        distally
      </button>
    </div>
  );
}
