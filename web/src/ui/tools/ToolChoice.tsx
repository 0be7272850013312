import type { ReactNode } from "react";

import { IconButton } from "../controls/IconButton";
import * as icons from "../controls/icons";
import { useBench, useWorkbench } from "../state/context";

/** The tools, one of which is chosen. */
export function ToolChoice() {
  const { bench } = useWorkbench();
  const tool = useBench((state) => state.tool);
  const negative = useBench((state) => state.negative);
  const choice = (
    name: typeof tool,
    label: string,
    short: string,
    icon: ReactNode,
    command: Parameters<typeof IconButton>[0]["command"],
  ) => (
    <IconButton
      label={label}
      name={short}
      command={command}
      pressed={tool === name}
      onClick={() => bench.setTool(name)}
      testid={`tool-${name}`}
    >
      {icon}
    </IconButton>
  );
  return (
    <div role="group" aria-label="Tool" className="tool-group">
      <IconButton
        name="Click"
        label="Positive click: this belongs to the object"
        command="tool-click"
        pressed={tool === "click" && !negative}
        onClick={() => bench.setTool("click")}
        testid="tool-click"
      >
        <icons.Positive />
      </IconButton>
      <IconButton
        name="Negative"
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
