import type { StageEvents } from "../../engine/stage";
import { Store } from "./store";

/** What changes with every move of the pointer, in a store of its own, so that only its own line renders again. */
export const pointerReadout = new Store<{ zoom: number | null; hover: StageEvents["hover"] }>({
  zoom: null,
  hover: null,
});

let waiting: StageEvents["hover"] | undefined;

export function setHover(hover: StageEvents["hover"]): void {
  if (waiting === undefined) {
    requestAnimationFrame(() => {
      pointerReadout.set({ hover: waiting ?? null });
      waiting = undefined;
    });
  }
  waiting = hover;
}

export function setZoom(zoom: number | null): void {
  pointerReadout.set({ zoom });
}
