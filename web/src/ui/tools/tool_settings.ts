import type { BrushOptions } from "../../engine/editing/case_editor";
import { MAX_BRUSH, MIN_BRUSH } from "../../engine/geometry/stroke";
import type { Workbench } from "../state/workbench";

export const MAX_SMOOTHING = 5;
/** Share of its size by which one step makes the brush larger or smaller. */
const BRUSH_STEP = 0.12;

export function setBrush(bench: Workbench, change: Partial<BrushOptions>): void {
  const brush = { ...bench.preferences.get().brush, ...change };
  brush.size = Math.min(MAX_BRUSH, Math.max(MIN_BRUSH, Math.round(brush.size)));
  bench.preferences.set({ brush });
}

export function setSmoothing(bench: Workbench, strength: number): void {
  bench.preferences.set({ smoothing: Math.min(MAX_SMOOTHING, Math.max(1, Math.round(strength))) });
}

export function stepBrush(bench: Workbench, direction: 1 | -1): void {
  const { size } = bench.preferences.get().brush;
  setBrush(bench, { size: size + direction * Math.max(1, Math.round(size * BRUSH_STEP)) });
}
