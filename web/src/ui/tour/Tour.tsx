import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from "react";

import { focusCanvas } from "../canvas/focus_canvas";
import { useBench, useWorkbench } from "../state/context";
import type { Workbench } from "../state/workbench";
import { type Box, cardPlace } from "./tour_place";
import { TOUR } from "./tour_steps";

/** Shows the tour from its beginning. */
export function startTour(bench: Workbench): void {
  bench.state.set({ tour: 0, help: false });
}

/** A few notes beside the parts of the page. Everything else keeps working meanwhile. */
export function Tour() {
  const { bench } = useWorkbench();
  const step = useBench((state) => state.tour);
  const card = useRef<HTMLElement>(null);
  const [ring, setRing] = useState<Box | null>(null);
  const [place, setPlace] = useState({ left: 0, top: 0 });

  useEffect(() => {
    if (!bench.preferences.get().introduced) startTour(bench);
  }, [bench]);

  const shownStep = step === null ? undefined : TOUR[step];

  useLayoutEffect(() => {
    if (shownStep === undefined) return;
    const measure = () => {
      if (card.current === null) return;
      const shown = shownStep.targets
        .flatMap((target) => document.querySelector(target) ?? [])
        .find((target) => target.checkVisibility());
      const box = shown?.getBoundingClientRect() ?? null;
      const { offsetWidth: width, offsetHeight: height } = card.current;
      setRing((before) =>
        box &&
        before &&
        box.left === before.left &&
        box.top === before.top &&
        box.width === before.width &&
        box.height === before.height
          ? before
          : box,
      );
      setPlace(cardPlace(box, { width, height }, { width: innerWidth, height: innerHeight }));
    };
    measure();
    const watching = new ResizeObserver(measure);
    for (const each of document.querySelectorAll(`.stage-host, .toolbar, .panel, .top-bar`)) watching.observe(each);
    return () => watching.disconnect();
  }, [shownStep]);

  if (step === null || shownStep === undefined) return null;
  const { title, text } = shownStep;
  const last = step === TOUR.length - 1;
  const go = (to: number) => bench.state.set({ tour: to });
  const close = () => {
    const held = card.current?.contains(document.activeElement);
    bench.preferences.set({ introduced: true });
    bench.state.set({ tour: null });
    if (held) focusCanvas();
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  };
  return (
    <>
      {ring && (
        <div
          className="tour-ring"
          style={{ left: ring.left, top: ring.top, width: ring.width, height: ring.height }}
          aria-hidden="true"
        />
      )}
      <section
        ref={card}
        className="tour"
        style={place}
        aria-label="Tour"
        data-testid="tour"
        data-region="tour"
        onKeyDown={keys}
      >
        <div role="status">
          <h2>{title}</h2>
          <p>{text}</p>
        </div>
        <footer>
          <span className="hint">
            {step + 1} of {TOUR.length}
          </span>
          {!last && (
            <button type="button" className="quiet" onClick={close} data-testid="tour-close">
              Close the tour
            </button>
          )}
          {step > 0 && (
            <button type="button" className="quiet" onClick={() => go(step - 1)} data-testid="tour-back">
              Back
            </button>
          )}
          <button
            type="button"
            className="quiet primary"
            onClick={() => (last ? close() : go(step + 1))}
            data-testid="tour-next"
          >
            {last ? "Start" : "Next"}
          </button>
        </footer>
      </section>
    </>
  );
}
