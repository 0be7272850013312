import { useEffect, useRef, type PointerEvent } from "react";

import { Stage } from "../engine/stage";
import { ActiveBadge } from "./ActiveBadge";
import { ClickChoice } from "./ClickChoice";
import { useBench, useDesk } from "./context";
import { followPreferences, setBrush } from "./display";
import { pictureLabel } from "./pictureLabel";
import { setHover, setZoom } from "./readings";
import { bringIntoSight } from "./visibility";

/** The picture: the place of the painting engine, which React never renders into. */
export function StageView() {
  const { bench, flow } = useDesk();
  const host = useRef<HTMLDivElement>(null);
  const shift = useRef(false);
  const opening = useBench((state) => state.openingId);
  const editor = useBench((state) => state.editor);
  const asking = useBench((state) => state.asking);
  const typed = useBench((state) => state.typedDigit);

  useEffect(() => {
    const stage = new Stage(host.current!);
    const ends = [
      stage.on("click", ({ x, y, positive }) => {
        const asked = positive && !shift.current;
        flow.click(x, y, bench.state.get().negative ? !asked : asked);
      }),
      stage.on("box", ({ box }) => flow.box(box)),
      stage.on("strokeEnd", ({ object }) => flow.strokeEnded(object)),
      stage.on("refused", ({ reason }) =>
        bench.say(reason === "locked" ? "The object is locked (Y unlocks)." : "No object is active (N begins one).", "warning"),
      ),
      stage.on("brushChanged", ({ size }) => setBrush(bench, { size })),
      stage.on("select", ({ id }) => bench.editor?.setActive(id)),
      stage.on("hover", setHover),
      stage.on("viewChanged", ({ zoom }) => setZoom(zoom)),
      stage.on("peek", (peeking) => bench.state.set({ peeking })),
      stage.on("levelsChanged", ({ gamma, invert }) => bench.preferences.set({ gamma, invert })),
      stage.on("warning", (text) => bench.say(text, "warning")),
    ];
    stage.labelOf = ({ category }) => pictureLabel(category, bench.labels);
    stage.beforeChange = () => bringIntoSight(bench);
    stage.ensureObject = () => flow.ensureObject();
    stage.setTool(bench.state.get().tool);
    // The stage that bench.mount shows a case on must have the annotator's look before its first frame.
    bench.stage = stage;
    ends.push(followPreferences(bench));
    void bench.mount(stage);
    return () => {
      for (const end of ends) end();
      bench.unmount();
      stage.dispose();
    };
  }, [bench, flow]);

  const prepare = (event: PointerEvent) => {
    bench.act();
    shift.current = event.shiftKey;
    // A click of the mouse comes within this event; the next may be one of the keyboard.
    setTimeout(() => (shift.current = false));
    host.current?.focus({ preventScroll: true });
  };

  return (
    <main className="stage" aria-label="X-ray" onPointerDownCapture={prepare} onPointerMove={() => bench.act(true)} onWheel={() => bench.act(true)}>
      <div
        ref={host}
        className="stage-host"
        data-testid="stage"
        data-region="stage"
        tabIndex={0}
        role="application"
        aria-roledescription="labelling canvas"
        aria-label="X-ray with masks. Arrow keys move the crosshair, K uses the tool, question mark lists all keys."
      />
      {opening !== null && <div className="stage-note" role="status">Opening …</div>}
      {opening === null && !editor && <div className="stage-note">No case is open. Choose one from the worklist.</div>}
      <div className="stage-badges">
        <ActiveBadge />
        {asking > 0 && (
          <div className="stage-badge" role="status" data-testid="busy">
            <span className="busy-mark" aria-hidden="true" /> Model
          </div>
        )}
      </div>
      <ClickChoice />
      {typed !== null && (
        <div className="typed" role="status" data-testid="typed-digit">
          {typed}
          <span aria-hidden="true">_</span>
        </div>
      )}
    </main>
  );
}
