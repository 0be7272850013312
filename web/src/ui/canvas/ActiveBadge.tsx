import type { CSSProperties } from "react";
import { isUnsure } from "../../engine/editing/proposals";
import { UNSURE_COLOUR } from "../../engine/palette";
import type { StageTool } from "../../engine/stage";
import { nameOf } from "../labels/label_names";
import { useBench, useEditor, usePreferences, useWorkbench } from "../state/context";

const NAMES: Record<StageTool, string> = {
  click: "Click",
  box: "Box",
  brush: "Brush",
  eraser: "Eraser",
  "lasso-add": "Lasso",
  "lasso-subtract": "Lasso, subtract",
  select: "Select",
  pan: "Move",
  window: "Window",
};
const BEGINNING = new Set<StageTool>(["click", "box", "brush", "lasso-add"]);

/** Shows the chosen tool, and which object the next click or stroke is for. */
export function ActiveBadge() {
  const { bench, actions } = useWorkbench();
  const editor = useEditor();
  const tool = useBench((state) => state.tool);
  const negative = useBench((state) => state.negative);
  const threshold = usePreferences((preferences) => preferences.threshold);
  useBench((state) => state.offers);
  if (!editor) return null;
  const { active } = editor;
  const begins =
    active === null
      ? BEGINNING.has(tool) && !negative
      : active.accepted && (tool === "box" || (tool === "click" && !negative));
  const unsure = active !== null && isUnsure(active, threshold);
  const offer = active === null ? null : actions.offerOf(active);
  const left = editor.objects.filter(({ proposed }) => proposed).length;
  return (
    <div className="stage-badge" role="status" data-testid="active-badge">
      {negative ? "Negative click" : NAMES[tool]}
      {" · "}
      {active && (
        <>
          <span
            className="swatch"
            style={{ "--object": unsure ? UNSURE_COLOUR : bench.colourOf(active) } as CSSProperties}
            aria-hidden="true"
          />
          {offer === null ? nameOf(active.category, bench.labels) : `${offer}? Enter takes it`}
          {active.proposed && (unsure ? "? proposed, unsure" : " proposed")}
          {active.accepted && " accepted"}
          {active.locked && " locked"}
          {begins && " · "}
        </>
      )}
      {begins ? "New object" : active === null && "No object"}
      {left > 0 && ` · ${left} to review`}
    </div>
  );
}
