import type { Point } from "./geometry/point";
import type { BoxPrompt } from "./operations";
import type { Levels } from "./render/levels";

/** Points are in image pixels; x, y of clicks and boxes as the model counts (see `toModel`). */
export interface StageEvents {
  click: { x: number; y: number; positive: boolean; at: Point };
  box: { box: BoxPrompt };
  strokeEnd: { object: string; tool: "brush" | "eraser" | "lasso" };
  /** The tool cannot work: nothing is active, or it is locked. */
  refused: { reason: "no-object" | "locked" };
  brushChanged: { size: number };
  /** Pointer over the image and the raw pixel value there; null when it left. */
  hover: { point: Point; value: number | null } | null;
  /** zoom: null while no picture is shown. */
  viewChanged: { zoom: number | null };
  levelsChanged: Levels;
  select: { id: string | null };
  peek: boolean;
  warning: string;
}

type Listeners = { [K in keyof StageEvents]: Set<(event: StageEvents[K]) => void> };

/** Who listens to what happens on the stage. */
export class StageListeners {
  private readonly listeners: Listeners = {
    click: new Set(),
    box: new Set(),
    strokeEnd: new Set(),
    refused: new Set(),
    brushChanged: new Set(),
    hover: new Set(),
    viewChanged: new Set(),
    levelsChanged: new Set(),
    select: new Set(),
    peek: new Set(),
    warning: new Set(),
  };

  on<K extends keyof StageEvents>(kind: K, listener: (event: StageEvents[K]) => void): () => void {
    this.listeners[kind].add(listener);
    return () => this.listeners[kind].delete(listener);
  }

  emit<K extends keyof StageEvents>(kind: K, event: StageEvents[K]): void {
    for (const listener of [...this.listeners[kind]]) listener(event);
  }
}
