import { MAX_GAMMA, MIN_GAMMA } from "../../engine/render/levels";
import type { Preferences } from "../state/preferences";
import type { Workbench } from "../state/workbench";

export const OPACITY_STEP = 0.05;
const EQUALISATION = { clip: 2.5, tiles: 8 };

// Rounded, so that steps of 5 % reach 0 and 100 % exactly.
function stepped(value: number, step: number): number {
  return Math.min(1, Math.max(0, Math.round((value + step) * 100) / 100));
}

/** Applies the annotator's preferences to the stage and the brush, now and whenever they change. */
export function followPreferences(bench: Workbench): () => void {
  let shown: Partial<Preferences> = {};
  const follow = () => {
    const next = bench.preferences.get();
    const { stage, editor } = bench;
    document.documentElement.dataset.theme = next.theme;
    if (stage) {
      const { fill, outline, outlineWidth, dimOthers, numbers, threshold } = next;
      const look = { fill, outline, outlineWidth, dimOthers, numbers, threshold };
      if (Object.entries(look).some(([name, value]) => shown[name as keyof typeof look] !== value))
        stage.setAppearance(look);
      if (shown.gamma !== next.gamma || shown.invert !== next.invert)
        stage.setLevels({ gamma: next.gamma, invert: next.invert });
      if (shown.equalise !== next.equalise) equalise(bench, next.equalise);
    }
    if (editor && shown.brush !== next.brush) editor.setBrush(next.brush);
    shown = next;
  };
  follow();
  return bench.preferences.subscribe(follow);
}

function equalise(bench: Workbench, on: boolean): void {
  bench.stage
    ?.setEqualisation(on ? EQUALISATION : null)
    .catch(() => bench.toast("The picture could not be equalised.", "error"));
}

export function stepOpacity(bench: Workbench, which: "fill" | "outline", direction: 1 | -1): void {
  bench.preferences.set({ [which]: stepped(bench.preferences.get()[which], direction * OPACITY_STEP) });
}

export function resetDisplay(bench: Workbench): void {
  bench.stage?.resetLevels();
  bench.preferences.set({ gamma: 1, invert: false, equalise: false });
}

export function setGamma(bench: Workbench, gamma: number): void {
  bench.preferences.set({ gamma: Math.min(MAX_GAMMA, Math.max(MIN_GAMMA, gamma)) });
}
