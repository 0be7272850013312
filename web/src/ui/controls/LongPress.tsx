import { useEffect, useState } from "react";

const HELD_MS = 500;
const SLACK = 10;
const SHOWN_MS = 2500;

interface Tip {
  text: string;
  left: number;
  top: number;
}

/** Shows the tooltip of a button to a finger that stays on it; the press then does nothing else. */
export function LongPress() {
  const [tip, setTip] = useState<Tip | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let start = { x: 0, y: 0 };
    let shown = false;
    const down = (event: PointerEvent) => {
      clearTimeout(timer);
      shown = false;
      setTip(null);
      const target = event.target instanceof Element ? event.target.closest<HTMLElement>("[title]") : null;
      if (event.pointerType === "mouse" || !target?.title || target.matches("input")) return;
      start = { x: event.clientX, y: event.clientY };
      timer = setTimeout(() => {
        shown = true;
        const { left, width, top, bottom } = target.getBoundingClientRect();
        setTip({ text: target.title, left: left + width / 2, top: top > 70 ? top : bottom + 50 });
        timer = setTimeout(() => setTip(null), SHOWN_MS);
      }, HELD_MS);
    };
    const move = (event: PointerEvent) => {
      if (!shown && Math.hypot(event.clientX - start.x, event.clientY - start.y) > SLACK) clearTimeout(timer);
    };
    const up = () => {
      if (!shown) clearTimeout(timer);
    };
    const swallow = (event: Event) => {
      // A click without a pointer comes from the keyboard.
      if (!shown || (event instanceof MouseEvent && event.type === "click" && event.detail === 0)) return;
      shown = event.type === "contextmenu";
      event.preventDefault();
      event.stopPropagation();
    };
    const listeners = [
      ["pointerdown", down],
      ["pointermove", move],
      ["pointerup", up],
      ["pointercancel", up],
      ["click", swallow],
      ["contextmenu", swallow],
    ] as const;
    for (const [kind, listener] of listeners) window.addEventListener(kind, listener as EventListener, true);
    return () => {
      clearTimeout(timer);
      for (const [kind, listener] of listeners) window.removeEventListener(kind, listener as EventListener, true);
    };
  }, []);
  if (!tip) return null;
  const left = Math.max(120, Math.min(tip.left, innerWidth - 120));
  return (
    <div className="tip" role="tooltip" style={{ left, top: tip.top }} data-testid="tip">
      {tip.text}
    </div>
  );
}
