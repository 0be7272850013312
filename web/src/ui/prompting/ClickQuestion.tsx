import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { nameOf } from "../labels/label_names";
import { useBench, useEditor, useWorkbench } from "../state/context";
import { questionSide } from "./question_place";

/** Asks beside a click far from the active object whether it is for that object or for another one. Nothing waits for the answer. */
export function ClickQuestion() {
  const { bench, actions } = useWorkbench();
  const editor = useEditor();
  const question = useBench((state) => state.question);
  const [, moved] = useState(0);
  useEffect(() => bench.stage?.on("viewChanged", () => moved((count) => count + 1)), [bench, question]);
  const answers = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 200, height: 66 });
  useLayoutEffect(() => {
    const { offsetWidth: width, offsetHeight: height } = answers.current ?? { offsetWidth: 0, offsetHeight: 0 };
    if (width > 0 && (width !== size.width || height !== size.height)) setSize({ width, height });
  });
  const { stage } = bench;
  const active = editor?.active ?? null;
  if (question === null || !stage || active?.id !== question.object) return null;
  const [x, y] = stage.view.toScreen(...question.at);
  const { category } = active;
  const name = category === null ? "this object" : nameOf(category, bench.labels);
  const box = active.mask.box;
  const [left, top] = stage.view.toScreen(box.x, box.y);
  const { zoom } = stage.view;
  const side = questionSide(
    [x, y],
    size,
    { x: left, y: top, width: zoom * box.width, height: zoom * box.height },
    stage.view,
  );
  return (
    <div className={`click-question ${side}`} style={{ left: x, top: y }}>
      <span className="click-mark" aria-hidden="true" />
      <div
        ref={answers}
        className="click-answers"
        role="group"
        aria-label="What is this click for?"
        data-testid="click-question"
      >
        <span className="unseen" role="status">
          Another tooth? N. Part of {name}? Enter.
        </span>
        <button type="button" onClick={() => actions.answer("new")} data-testid="answer-new">
          Another object <kbd>N</kbd>
        </button>
        <button type="button" onClick={() => actions.answer("same")} data-testid="answer-same">
          Part of {name} <kbd>Enter</kbd>
        </button>
      </div>
    </div>
  );
}
