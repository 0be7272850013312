import type { CSSProperties } from "react";

import { useBench, useDesk, useEditor } from "./context";
import { nameOf } from "./labels";

const BEGINNING = new Set(["click", "box", "brush", "lasso-add"]);

/** What the next click or stroke is for. */
export function ActiveBadge() {
  const { bench } = useDesk();
  const editor = useEditor();
  const tool = useBench((state) => state.tool);
  const negative = useBench((state) => state.negative);
  if (!editor) return null;
  const { active } = editor;
  const begins = active === null || (active.accepted && (tool === "box" || (tool === "click" && !negative)));
  if (active === null && !BEGINNING.has(tool)) return null;
  return (
    <div className="stage-badge" role="status" data-testid="active-badge">
      {active && (
        <>
          <span className="swatch" style={{ "--object": bench.colourOf(active) } as CSSProperties} aria-hidden="true" />
          {nameOf(active.category, bench.labels)}
          {active.accepted && " accepted"}
          {active.locked && " locked"}
          {begins && " · "}
        </>
      )}
      {begins && "New object"}
    </div>
  );
}
