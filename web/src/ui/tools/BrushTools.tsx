import type { ReactNode } from "react";

import { MAX_BRUSH } from "../../engine/geometry/stroke";
import type { OverlapMode } from "../../engine/operations";
import { IconButton } from "../controls/IconButton";
import * as icons from "../controls/icons";
import { usePreferences, useWorkbench } from "../state/context";
import { ToolNumber } from "./ToolNumber";
import { setBrush } from "./tool_settings";

const MODES: [OverlapMode, string, string, () => ReactNode][] = [
  ["overlap", "Overlap: masks may share pixels", "Overlap", icons.Overlap],
  ["protect", "Protect neighbours: paint stops at them", "Protect", icons.Protect],
  ["take", "Take from neighbours: paint cuts them back", "Take", icons.Take],
];

/** Shape, size and rules of the brush. */
export function BrushTools() {
  const { bench } = useWorkbench();
  const brush = usePreferences((preferences) => preferences.brush);
  return (
    <div role="group" aria-label="Brush" className="tool-group">
      <IconButton
        name={brush.shape === "round" ? "Round" : "Square"}
        label={brush.shape === "round" ? "Round brush; press for square" : "Square brush; press for round"}
        onClick={() => setBrush(bench, { shape: brush.shape === "round" ? "square" : "round" })}
        testid="brush-shape"
      >
        {brush.shape === "round" ? <icons.Round /> : <icons.Square />}
      </IconButton>
      <ToolNumber
        name="Size"
        label="Brush size in image pixels"
        title="Brush size in image pixels ([ ])"
        value={brush.size}
        min={1}
        max={MAX_BRUSH}
        onChange={(value) => setBrush(bench, { size: value })}
        testid="brush-size"
      />
      <div role="radiogroup" aria-label="Where masks meet" className="tool-group">
        {MODES.map(([mode, label, short, Icon]) => (
          <button
            type="button"
            role="radio"
            key={mode}
            className="icon-button"
            aria-checked={brush.mode === mode}
            aria-label={label}
            title={label}
            onClick={() => setBrush(bench, { mode })}
            data-testid={`mode-${mode}`}
          >
            <Icon />
            <span className="tool-name">{short}</span>
          </button>
        ))}
      </div>
      <IconButton
        name="Limited"
        label="Intensity-limited brush: paints only what is about as bright as where the stroke began"
        pressed={brush.limited}
        onClick={() => setBrush(bench, { limited: !brush.limited })}
        testid="brush-limited"
      >
        <icons.Limited />
      </IconButton>
      {brush.limited && (
        <ToolNumber
          name="Tolerance"
          label="Tolerance in percent of the display window"
          value={brush.tolerance}
          min={1}
          max={100}
          onChange={(value) => setBrush(bench, { tolerance: value })}
          testid="brush-tolerance"
        />
      )}
    </div>
  );
}
