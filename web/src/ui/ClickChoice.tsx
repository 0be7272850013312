import { useEffect, useState } from "react";

import { useBench, useDesk, useEditor } from "./context";
import { nameOf } from "./labels";

/** Beside a click far from the active object: whether it is for that object or for another one. Nothing waits for the answer. */
export function ClickChoice() {
  const { bench, flow } = useDesk();
  const editor = useEditor();
  const question = useBench((state) => state.question);
  const [, moved] = useState(0);
  useEffect(() => bench.stage?.on("viewChanged", () => moved((count) => count + 1)), [bench, question]);
  const { stage } = bench;
  if (question === null || !stage || editor?.activeId !== question.object) return null;
  const [x, y] = stage.view.toScreen(...question.at);
  const category = editor.active?.category ?? null;
  const name = category === null ? "this object" : nameOf(category, bench.labels);
  const side = x > stage.view.width / 2 ? "left" : "right";
  return (
    <div className={`click-choice ${side}`} style={{ left: x, top: y }}>
      <span className="click-mark" aria-hidden="true" />
      <div className="click-answers" role="group" aria-label="What is this click for?" data-testid="click-choice">
        <span className="unseen" role="status">
          Another tooth? N. Part of {name}? Enter.
        </span>
        <button type="button" onClick={() => flow.answer("new")} data-testid="choice-new">
          Another object <kbd>N</kbd>
        </button>
        <button type="button" onClick={() => flow.answer("same")} data-testid="choice-same">
          Part of {name} <kbd>Enter</kbd>
        </button>
      </div>
    </div>
  );
}
