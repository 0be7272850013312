import { stepOpacity } from "../canvas/display_settings";
import { chooseNext } from "../prompting/choice_actions";
import type { AnnotationActions } from "../state/annotation_actions";
import type { Workbench } from "../state/workbench";
import { stepBrush } from "../tools/tool_settings";
import { focusRegion } from "./page_regions";
import type { Command } from "./shortcuts";

type Press = (event: { key: string; repeat: boolean }) => void;

const STEP = 2;
const FAR = 25;
const ZOOM = 1.25;

/** What each command of the shortcut table does. */
export function commandsOf(bench: Workbench, actions: AnnotationActions): Record<Command, Press> {
  const move = (dx: number, dy: number) => () => bench.stage?.moveCursor(dx, dy);
  const preferences = bench.preferences;
  return {
    "tool-click": () => bench.setTool("click"),
    "tool-box": () => bench.setTool("box"),
    "tool-brush": () => bench.setTool("brush"),
    "tool-eraser": () => bench.setTool("eraser"),
    "tool-lasso-add": () => bench.setTool("lasso-add"),
    "tool-lasso-subtract": () => bench.setTool("lasso-subtract"),
    "tool-pan": () => bench.setTool("pan"),
    "tool-select": () => bench.setTool("select"),
    "tool-window": () => bench.setTool("window"),
    swap: () => swap(bench),
    smaller: () => stepBrush(bench, -1),
    larger: () => stepBrush(bench, 1),
    undo: () => actions.caseClosing.undo(),
    redo: () => actions.redo(),
    refine: () => actions.refine(),
    "auto-refine": () => preferences.set({ autoRefine: !preferences.get().autoRefine }),
    "choose-next": ({ repeat }) => !repeat && chooseNext(bench),
    "fill-holes": () => actions.clean("fillHoles"),
    "drop-islands": () => actions.clean("dropIslands"),
    smooth: () => actions.clean("smooth"),
    new: () => actions.begin(),
    "new-same-tool": () => actions.begin(true),
    // A key that repeats must not accept one object after another.
    accept: ({ repeat }) => !repeat && !actions.answer("same") && actions.accept(),
    "accept-quadrant": ({ repeat }) => !repeat && actions.proposals.acceptQuadrant(),
    "accept-all": ({ repeat }) => !repeat && actions.proposals.acceptAll(),
    "shift-mesial": ({ repeat }) => !repeat && actions.proposals.requestShift("mesial"),
    "shift-distal": ({ repeat }) => !repeat && actions.proposals.requestShift("distal"),
    "next-object": () => actions.cycle(1),
    "previous-object": () => actions.cycle(-1),
    remove: ({ repeat }) => !repeat && actions.remove(),
    hide: () => actions.toggleHidden(),
    "show-all": () => actions.showAll(),
    lock: () => actions.toggleLocked(),
    digit: ({ key, repeat }) => !repeat && actions.typeDigit(key),
    cancel: () => actions.cancel(),
    fit: () => bench.stage?.fit(),
    "actual-size": () => bench.stage?.actualSize(),
    "zoom-in": () => bench.stage?.zoomBy(ZOOM),
    "zoom-out": () => bench.stage?.zoomBy(1 / ZOOM),
    invert: () => preferences.set({ invert: !preferences.get().invert }),
    peek: ({ repeat }) => !repeat && bench.stage?.setPeek(true),
    "less-fill": () => stepOpacity(bench, "fill", -1),
    "more-fill": () => stepOpacity(bench, "fill", 1),
    "less-outline": () => stepOpacity(bench, "outline", -1),
    "more-outline": () => stepOpacity(bench, "outline", 1),
    dim: () => preferences.set({ dimOthers: !preferences.get().dimOthers }),
    numbers: () => preferences.set({ numbers: !preferences.get().numbers }),
    "fit-window": () => bench.stage?.fitWindow(),
    "previous-case": () => void bench.step(-1),
    "next-case": () => void bench.step(1),
    worklist: () => preferences.set({ worklist: !preferences.get().worklist }),
    panel: () => preferences.set({ panel: !preferences.get().panel }),
    save: () => void bench.sync.flush(),
    help: () => bench.state.set({ help: !bench.state.get().help }),
    "next-region": () => focusRegion(1),
    "previous-region": () => focusRegion(-1),
    left: move(-STEP, 0),
    right: move(STEP, 0),
    up: move(0, -STEP),
    down: move(0, STEP),
    "far-left": move(-FAR, 0),
    "far-right": move(FAR, 0),
    "far-up": move(0, -FAR),
    "far-down": move(0, FAR),
    press: ({ repeat }) => !repeat && press(bench),
    "press-negative": () => bench.stage?.pressCursor({ positive: false }),
    "close-lasso": () => bench.stage?.closeLasso(),
  };
}

export function releasesOf(bench: Workbench): Partial<Record<Command, () => void>> {
  return { peek: () => bench.stage?.setPeek(false), press: () => bench.stage?.releaseCursor() };
}

function press(bench: Workbench): void {
  const { tool } = bench.state.get();
  bench.stage?.pressCursor({ hold: tool === "brush" || tool === "eraser" });
}

function swap(bench: Workbench): void {
  const { tool, negative } = bench.state.get();
  if (tool === "click") bench.setTool("click", !negative);
  else if (tool === "brush") bench.setTool("eraser");
  else if (tool === "lasso-add") bench.setTool("lasso-subtract");
  else if (tool === "lasso-subtract") bench.setTool("lasso-add");
  else bench.setTool("brush");
}
