import type { KeyboardEvent, PointerEvent } from "react";
import { IconButton } from "../controls/IconButton";
import { Check, Eye, Minus, Plus } from "../controls/icons";
import { useBench, usePreferences, useWorkbench } from "../state/context";
import { setBrush, stepBrush } from "./tool_settings";

const MAX_SLIDER_SIZE = 200;

/** For fingers, without keyboard and wheel: accepts an object and goes to the next one, shows the X-ray without masks, and sets the size of the brush. */
export function TouchPad() {
  const { bench, actions } = useWorkbench();
  const tool = useBench((state) => state.tool);
  const peeking = useBench((state) => state.peeking);
  const size = usePreferences((preferences) => preferences.brush.size);
  const peek = (on: boolean) => bench.stage?.setPeek(on);
  const press = (event: PointerEvent<HTMLElement>) => {
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    peek(true);
  };
  const key = (on: boolean) => (event: KeyboardEvent) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    peek(on);
  };
  return (
    <section className="touch-pad" aria-label="By touch" data-testid="touch-pad">
      {(tool === "brush" || tool === "eraser") && (
        <div className="pad-size">
          <IconButton
            label="Smaller brush"
            command="smaller"
            onClick={() => stepBrush(bench, -1)}
            testid="pad-smaller"
          >
            <Minus />
          </IconButton>
          <input
            type="range"
            min={1}
            max={MAX_SLIDER_SIZE}
            value={Math.min(size, MAX_SLIDER_SIZE)}
            aria-label="Brush size"
            onChange={(event) => setBrush(bench, { size: event.currentTarget.valueAsNumber })}
            data-testid="pad-size"
          />
          <IconButton label="Larger brush" command="larger" onClick={() => stepBrush(bench, 1)} testid="pad-larger">
            <Plus />
          </IconButton>
          <output>{size} px</output>
        </div>
      )}
      <IconButton
        label="Accept, and go to the next object"
        command="accept"
        onClick={() => actions.accept()}
        testid="pad-accept"
      >
        <Check />
      </IconButton>
      <button
        type="button"
        className="icon-button"
        aria-label="Hold: the bare X-ray"
        aria-pressed={peeking}
        onPointerDown={press}
        onPointerUp={() => peek(false)}
        onPointerCancel={() => peek(false)}
        onLostPointerCapture={() => peek(false)}
        onContextMenu={(event) => event.preventDefault()}
        onKeyDown={key(true)}
        onKeyUp={key(false)}
        onBlur={() => peek(false)}
        data-testid="pad-peek"
      >
        <Eye />
      </button>
    </section>
  );
}
