import type { CaseImage } from "../case_image";
import type { CaseEditor } from "../editing/case_editor";
import type { View } from "../geometry/view";
import type { Levels } from "../render/levels";
import type { StageEvents } from "../stage_events";
import type { TimingSamples } from "../timing_samples";

/** What the pointer and the tools use of the stage that they work on. */
export interface InputStage {
  readonly host: HTMLElement;
  readonly view: View;
  readonly editor: CaseEditor | null;
  readonly image: CaseImage | null;
  readonly levels: Readonly<Levels>;
  /** Whether the masks are hidden while a key or button is held. */
  readonly peek: boolean;
  readonly timings: { readonly events: TimingSamples };
  /** Asked when a brush or lasso is used and no object is active: may create one and return true. */
  readonly ensureObject: (() => boolean) | null;
  /** Called before a tool changes the active object's mask. */
  readonly beforeChange: (() => void) | null;
  on<K extends keyof StageEvents>(kind: K, listener: (event: StageEvents[K]) => void): () => void;
  emit<K extends keyof StageEvents>(kind: K, event: StageEvents[K]): void;
  setLevels(levels: Partial<Levels>): void;
  setBrushSize(size: number): void;
  panBy(dx: number, dy: number): void;
  /** To be called after `view` was changed. */
  viewMoved(): void;
  /** Ends whatever is under way; what was painted stays. */
  finish(): void;
  /** Draws at the next frame. */
  invalidate(): void;
}
