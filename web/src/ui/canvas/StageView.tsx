import { type PointerEvent, useEffect, useRef } from "react";

import { Stage } from "../../engine/stage";
import { pictureLabel } from "../labels/picture_label";
import { ChoicePicture } from "../prompting/ChoicePicture";
import { ClickQuestion } from "../prompting/ClickQuestion";
import { useBench, useWorkbench } from "../state/context";
import { setHover, setZoom } from "../state/pointer_readout";
import { bringIntoSight } from "../state/visibility";
import { setBrush } from "../tools/tool_settings";
import { ActiveBadge } from "./ActiveBadge";
import { followPreferences } from "./display_settings";

/** The picture: the host element of the engine's stage, which React never renders into. */
export function StageView() {
  const { bench, actions } = useWorkbench();
  const host = useRef<HTMLDivElement>(null);
  const shift = useRef(false);
  const opening = useBench((state) => state.openingId);
  const editor = useBench((state) => state.editor);
  const requestsUnderway = useBench((state) => state.requestsUnderway);
  const typed = useBench((state) => state.typedDigit);
  const proposals = useBench((state) => state.proposals);

  useEffect(() => {
    if (host.current === null) return;
    const stage = new Stage(host.current);
    const cleanups = [
      stage.on("click", ({ x, y, positive }) => {
        const asked = positive && !shift.current;
        actions.click(x, y, bench.state.get().negative ? !asked : asked);
      }),
      stage.on("box", ({ box }) => actions.box(box)),
      stage.on("strokeEnd", ({ object }) => actions.strokeEnded(object)),
      stage.on("refused", ({ reason }) =>
        bench.toast(
          reason === "locked" ? "The object is locked (Y unlocks)." : "No object is active (N begins one).",
          "warning",
        ),
      ),
      stage.on("brushChanged", ({ size }) => setBrush(bench, { size })),
      stage.on("select", ({ id }) => bench.editor?.setActive(id)),
      stage.on("hover", setHover),
      stage.on("viewChanged", ({ zoom }) => setZoom(zoom)),
      stage.on("peek", (peeking) => bench.state.set({ peeking })),
      stage.on("levelsChanged", ({ gamma, invert }) => bench.preferences.set({ gamma, invert })),
      stage.on("warning", (text) => bench.toast(text, "warning")),
    ];
    stage.labelOf = (object) => {
      const { threshold } = bench.preferences.get();
      return pictureLabel(object, actions.offerOf(object), threshold, bench.labels);
    };
    let offered = bench.state.get().offers;
    cleanups.push(
      bench.state.subscribe(() => {
        const { offers } = bench.state.get();
        if (offers !== offered) stage.restyle();
        offered = offers;
      }),
    );
    stage.beforeChange = () => bringIntoSight(bench);
    stage.ensureObject = () => actions.ensureObject();
    stage.setTool(bench.state.get().tool);
    // The stage must have the annotator's appearance before its first frame.
    bench.stage = stage;
    cleanups.push(followPreferences(bench));
    void bench.mount(stage);
    return () => {
      for (const cleanup of cleanups) cleanup();
      bench.unmount();
      stage.dispose();
    };
  }, [bench, actions]);

  const prepare = (event: PointerEvent) => {
    bench.recordActivity();
    shift.current = event.shiftKey;
    // The click of the mouse is handled within this event; a later one may come from the keyboard.
    setTimeout(() => (shift.current = false));
    host.current?.focus({ preventScroll: true });
  };

  return (
    <main
      className="stage"
      aria-label="X-ray"
      onPointerDownCapture={prepare}
      onPointerMove={() => bench.recordActivity(true)}
      onWheel={() => bench.recordActivity(true)}
    >
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
      {opening !== null && (
        <div className="stage-note" role="status">
          Opening …
        </div>
      )}
      {opening === null && !editor && (
        <div className="stage-note">No case is open. Choose one from the worklist.</div>
      )}
      <div className="stage-badges">
        <ActiveBadge />
        {requestsUnderway > 0 && (
          <div className="stage-badge" role="status" data-testid="busy">
            <span className="busy-mark" aria-hidden="true" /> Model
          </div>
        )}
        {editor && proposals === "pending" && (
          <div className="stage-badge" role="status" data-testid="finding">
            <span className="busy-mark" aria-hidden="true" /> Finding teeth …
          </div>
        )}
      </div>
      <ClickQuestion />
      <ChoicePicture />
      {typed !== null && (
        <div className="typed" role="status" data-testid="typed-digit">
          {typed}
          <span aria-hidden="true">_</span>
        </div>
      )}
    </main>
  );
}
