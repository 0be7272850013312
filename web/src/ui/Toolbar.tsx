import type { ReactNode } from "react";

import type { OverlapMode } from "../engine/types";
import { useBench, useDesk, useEditor, usePreferences } from "./context";
import { IconButton } from "./controls";
import { MOST_SMOOTHING, setBrush, setSmoothing } from "./display";
import * as icons from "./icons";

/** Everything the hand works with, in one narrow column. */
export function Toolbar() {
  const touring = useBench((state) => state.tour !== null);
  return (
    <nav className={`toolbar ${touring ? "named" : ""}`} aria-label="Tools" data-region="tools">
      <Tools />
      <hr />
      <BrushTools />
      <hr />
      <MaskTools />
    </nav>
  );
}

function Tools() {
  const { bench } = useDesk();
  const tool = useBench((state) => state.tool);
  const negative = useBench((state) => state.negative);
  const choice = (
    name: typeof tool,
    label: string,
    short: string,
    icon: ReactNode,
    command: Parameters<typeof IconButton>[0]["command"],
  ) => (
    <IconButton label={label} name={short} command={command} pressed={tool === name} onClick={() => bench.setTool(name)} testid={`tool-${name}`}>
      {icon}
    </IconButton>
  );
  return (
    <div role="group" aria-label="Tool" className="tool-group">
      <IconButton name="Click"
        label="Positive click: this belongs to the object"
        command="tool-click"
        pressed={tool === "click" && !negative}
        onClick={() => bench.setTool("click")}
        testid="tool-click"
      >
        <icons.Positive />
      </IconButton>
      <IconButton name="Negative"
        label="Negative click: this does not (also Shift or the right button)"
        command="swap"
        pressed={tool === "click" && negative}
        onClick={() => bench.setTool("click", true)}
        testid="tool-click-negative"
      >
        <icons.Negative />
      </IconButton>
      {choice("box", "Box", "Box", <icons.Box />, "tool-box")}
      {choice("brush", "Brush", "Brush", <icons.Brush />, "tool-brush")}
      {choice("eraser", "Eraser", "Eraser", <icons.Eraser />, "tool-eraser")}
      {choice("lasso-add", "Lasso, add", "Lasso", <icons.LassoAdd />, "tool-lasso-add")}
      {choice("lasso-subtract", "Lasso, subtract", "Lasso −", <icons.LassoSubtract />, "tool-lasso-subtract")}
      {choice("select", "Select an object", "Select", <icons.Select />, "tool-select")}
      {choice("pan", "Move the picture", "Move", <icons.Pan />, "tool-pan")}
      {choice("window", "Window and level by dragging", "Window", <icons.Window />, "tool-window")}
    </div>
  );
}

const MODES: [OverlapMode, string, string, () => ReactNode][] = [
  ["overlap", "Overlap: masks may share pixels", "Overlap", icons.Overlap],
  ["protect", "Protect neighbours: paint stops at them", "Protect", icons.Protect],
  ["take", "Take from neighbours: paint cuts them back", "Take", icons.Take],
];

function BrushTools() {
  const { bench } = useDesk();
  const brush = usePreferences((preferences) => preferences.brush);
  return (
    <div role="group" aria-label="Brush" className="tool-group">
      <IconButton name={brush.shape === "round" ? "Round" : "Square"}
        label={brush.shape === "round" ? "Round brush; press for square" : "Square brush; press for round"}
        onClick={() => setBrush(bench, { shape: brush.shape === "round" ? "square" : "round" })}
        testid="brush-shape"
      >
        {brush.shape === "round" ? <icons.Round /> : <icons.Square />}
      </IconButton>
      <span className="tool-number">
        <span className="tool-name" aria-hidden="true">
          Size
        </span>
        <input
          className="brush-size"
          type="number"
          min={1}
          max={400}
          value={brush.size}
          aria-label="Brush size in image pixels"
          title="Brush size in image pixels ([ ])"
          onChange={(event) => event.currentTarget.value && setBrush(bench, { size: event.currentTarget.valueAsNumber })}
          data-testid="brush-size"
        />
      </span>
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
      <IconButton name="Limited"
        label="Intensity-limited brush: paints only what is about as bright as where the stroke began"
        pressed={brush.limited}
        onClick={() => setBrush(bench, { limited: !brush.limited })}
        testid="brush-limited"
      >
        <icons.Limited />
      </IconButton>
      {brush.limited && (
        <span className="tool-number">
          <span className="tool-name" aria-hidden="true">
            Tolerance
          </span>
          <input
            className="brush-size"
            type="number"
            min={1}
            max={100}
            value={brush.tolerance}
            aria-label="Tolerance in percent of the display window"
            title="Tolerance in percent of the display window"
            onChange={(event) => event.currentTarget.value && setBrush(bench, { tolerance: event.currentTarget.valueAsNumber })}
            data-testid="brush-tolerance"
          />
        </span>
      )}
    </div>
  );
}

function MaskTools() {
  const { bench, flow } = useDesk();
  const editor = useEditor();
  const smoothing = usePreferences((preferences) => preferences.smoothing);
  const autoRefine = usePreferences((preferences) => preferences.autoRefine);
  const idle = !editor?.active;
  // The case that was closed last can be opened again from the next one.
  useBench((state) => state.closed);
  return (
    <div role="group" aria-label="Mask" className="tool-group">
      <IconButton name="Holes" label="Fill holes" command="fill-holes" disabled={idle} onClick={() => flow.clean("fillHoles")} testid="fill-holes">
        <icons.FillHoles />
      </IconButton>
      <IconButton name="Islands" label="Drop islands" command="drop-islands" disabled={idle} onClick={() => flow.clean("dropIslands")} testid="drop-islands">
        <icons.DropIslands />
      </IconButton>
      <IconButton name="Smooth" label="Smooth" command="smooth" disabled={idle} onClick={() => flow.clean("smooth")} testid="smooth">
        <icons.Smooth />
      </IconButton>
      <span className="tool-number">
        <span className="tool-name" aria-hidden="true">
          Strength
        </span>
        <input
          className="brush-size"
          type="number"
          min={1}
          max={MOST_SMOOTHING}
          value={smoothing}
          aria-label={`Strength of smoothing, 1 to ${MOST_SMOOTHING}`}
          title={`Strength of smoothing, 1 (fine) to ${MOST_SMOOTHING} (coarse)`}
          onChange={(event) => event.currentTarget.value && setSmoothing(bench, event.currentTarget.valueAsNumber)}
          data-testid="smoothing"
        />
      </span>
      <IconButton name="Refine" label="Refine with the model" command="refine" disabled={idle} onClick={() => flow.refine()} testid="refine">
        <icons.Refine />
      </IconButton>
      <IconButton name="Auto refine"
        label="Auto refine after every stroke"
        command="auto-refine"
        pressed={autoRefine}
        onClick={() => bench.preferences.set({ autoRefine: !autoRefine })}
        testid="auto-refine"
      >
        <icons.AutoRefine />
      </IconButton>
      <IconButton name="Undo" label="Undo" command="undo" disabled={!flow.finishing.canUndo} onClick={() => flow.finishing.undo()} testid="undo">
        <icons.Undo />
      </IconButton>
      <IconButton name="Redo" label="Redo" command="redo" disabled={!editor?.canRedo} onClick={() => bench.redo()} testid="redo">
        <icons.Redo />
      </IconButton>
    </div>
  );
}
