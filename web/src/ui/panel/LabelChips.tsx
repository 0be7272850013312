import type { CSSProperties } from "react";
import { isTooth } from "../labels/fdi";
import { visibleSentences } from "../labels/visible_text";
import { useEditor, useWorkbench } from "../state/context";

/** The labels that are not teeth, or are teeth the odontogram has no place for. */
export function LabelChips() {
  const { bench, actions } = useWorkbench();
  const editor = useEditor();
  const active = editor?.active ?? null;
  const labels = bench.session.schema.labels.filter((label) => !isTooth(label.name));
  return (
    <div className="chips" role="radiogroup" aria-label="Other labels" data-testid="labels">
      {labels.map((label) => (
        <button
          type="button"
          role="radio"
          key={label.name}
          className="chip"
          aria-checked={active?.category === label.name}
          style={{ "--chip": label.colour } as CSSProperties}
          onClick={() => actions.assign(label.name)}
          data-testid={`label-${label.name}`}
        >
          {visibleSentences(label.title)}
        </button>
      ))}
      <button
        type="button"
        className="chip plain"
        disabled={!active || active.category === null}
        onClick={() => actions.assign(null)}
      >
        No label
      </button>
    </div>
  );
}
