import type { CaseObject } from "../../engine/editing/case_editor";
import { keyOf } from "../keyboard/shortcuts";
import { nameOf } from "../labels/label_names";
import { useBench, useWorkbench } from "../state/context";

/** The numbers that the model offers for the active object, which has none. */
export function OfferedNumbers({ active }: { active: CaseObject }) {
  const { bench, actions } = useWorkbench();
  const offers = useBench((state) => state.offers.get(active.id));
  const known = (offers ?? []).filter(({ number }) => bench.labels.has(number));
  if (active.category !== null || known.length === 0) return null;
  return (
    <div className="run-shift" role="group" aria-label="Offered numbers" data-testid="offers">
      <span>Is it</span>
      {known.map(({ number, confidence }, place) => (
        <button
          type="button"
          className={`quiet ${place === 0 ? "primary" : ""}`}
          key={number}
          title={`${Math.round(100 * confidence)} %${place === 0 ? `; ${keyOf("accept")} accepts it with this number` : ""}`}
          onClick={() => actions.assign(number)}
          data-testid={`offer-${number}`}
        >
          {nameOf(number, bench.labels)}
        </button>
      ))}
      <span>?</span>
    </div>
  );
}
