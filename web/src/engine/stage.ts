import type { CaseImage } from "./case_image";
import type { CaseEditor, CaseObject } from "./editing/case_editor";
import type { Point } from "./geometry/point";
import { View } from "./geometry/view";
import type { InputStage } from "./input/input_stage";
import { PointerInput } from "./input/pointer_input";
import { type StageTool, ToolUse } from "./input/tool_use";
import { type Appearance, DEFAULT_APPEARANCE, stylesOf } from "./render/appearance";
import type { Equalisation } from "./render/clahe";
import { createRenderer } from "./render/create_renderer";
import { EqualisedPicture } from "./render/equalised_picture";
import type { ObjectLabel, PlacedLabel } from "./render/label_placement";
import { type Levels, validLevels } from "./render/levels";
import { ObjectLabels } from "./render/object_labels";
import { Overlay } from "./render/overlay";
import type { Renderer } from "./render/renderer";
import { StageCanvases } from "./render/stage_canvases";
import { type StageEvents, StageListeners } from "./stage_events";
import { TimingSamples } from "./timing_samples";

export type { StageTool } from "./input/tool_use";
export type { Appearance } from "./render/appearance";
export type { StageEvents } from "./stage_events";

export interface StageOptions {
  renderer?: Renderer["kind"];
  /** What one finger does as long as no pen was used; after that it pans. */
  touch?: "draw" | "pan";
}

/** The picture with its masks in an element of the page: drawing, tools, pointer. Draws at most once a frame. */
export class Stage implements InputStage {
  readonly view = new View();
  readonly renderer: Renderer;
  /** Milliseconds that the handler of each pointer event and the drawing of each frame took. */
  readonly timings = { events: new TimingSamples(), frames: new TimingSamples() };
  /** Asked when a brush or lasso is used and no object is active: may create one and return true. */
  ensureObject: (() => boolean) | null = null;
  /** Called before a tool changes the active object's mask: the place to bring it into sight. */
  beforeChange: (() => void) | null = null;

  private readonly canvases: StageCanvases;
  private readonly overlay: Overlay;
  private readonly labels: ObjectLabels;
  private readonly equalised: EqualisedPicture;
  private readonly listeners = new StageListeners();
  private readonly use: ToolUse;
  private readonly input: PointerInput;
  private shownEditor: CaseEditor | null = null;
  private shownImage: CaseImage | null = null;
  private cleanups: (() => void)[] = [];
  private look: Appearance = DEFAULT_APPEARANCE;
  private shades: Levels = { low: 0, high: 255, gamma: 1, invert: false };
  private peeking = false;
  private viewStale = true;
  private stylesStale = true;

  constructor(
    readonly host: HTMLElement,
    options: StageOptions = {},
  ) {
    host.style.touchAction = "none";
    host.style.userSelect = "none";
    if (!host.hasAttribute("tabindex")) host.tabIndex = 0;
    this.canvases = new StageCanvases(host, this.resized, this.paint);
    this.overlay = new Overlay(this.canvases.overlay);
    this.labels = new ObjectLabels(this.canvases.labels);
    this.renderer = createRenderer(this.canvases.picture, options.renderer);
    this.renderer.onRestored = () => this.invalidate();
    this.equalised = new EqualisedPicture(this.renderer, () => this.invalidate());
    this.use = new ToolUse(this);
    this.input = new PointerInput(this, this.use, options.touch ?? "draw");
    this.canvases.follow();
  }

  /** The text on an object; null: none. */
  set labelOf(textOf: (object: CaseObject) => ObjectLabel | null) {
    this.labels.textOf = textOf;
  }

  on<K extends keyof StageEvents>(kind: K, listener: (event: StageEvents[K]) => void): () => void {
    return this.listeners.on(kind, listener);
  }

  emit<K extends keyof StageEvents>(kind: K, event: StageEvents[K]): void {
    this.listeners.emit(kind, event);
  }

  get editor(): CaseEditor | null {
    return this.shownEditor;
  }

  get image(): CaseImage | null {
    return this.shownImage;
  }

  /** Shows a case, or nothing. Whatever is under way in the last one is finished. */
  setCase(editor: CaseEditor | null, image: CaseImage | null): void {
    this.finish();
    for (const cleanup of this.cleanups) cleanup();
    this.cleanups = [];
    this.equalised.abort();
    this.shownEditor = editor;
    this.shownImage = image;
    this.renderer.setImage(image);
    this.labels.clear();
    this.use.reset();
    if (this.renderer.warning !== null) this.emit("warning", this.renderer.warning);
    if (image !== null) {
      editor?.setImage(image);
      this.view.setImage(image.width, image.height);
      this.setLevels({ low: image.low, high: image.high });
    }
    if (editor !== null) {
      for (const object of editor.objects) this.renderer.updateMask(object.id, object.mask, null);
      this.cleanups = [
        editor.onDirty((id, rect) => {
          const object = editor.object(id);
          this.labels.changed(id);
          if (object === undefined || object.deleted) this.renderer.removeMask(id);
          else this.renderer.updateMask(id, object.mask, rect);
          this.invalidate();
        }),
        editor.subscribe(() => this.restyle()),
      ];
    }
    void this.equalised.setImage(image);
    this.viewMoved();
    this.restyle();
  }

  get tool(): StageTool {
    return this.use.tool;
  }

  setTool(tool: StageTool): void {
    this.use.setTool(tool);
    this.input.showCursor();
    this.invalidate();
  }

  get levels(): Readonly<Levels> {
    return this.shades;
  }

  setLevels(levels: Partial<Levels>): void {
    this.shades = validLevels({ ...this.shades, ...levels });
    this.renderer.setDisplay(this.shades);
    this.shownEditor?.setWindow(this.shades.low, this.shades.high);
    this.emit("levelsChanged", this.shades);
    this.invalidate();
  }

  /** Sets the image's own window; gamma and inversion stay. */
  fitWindow(): void {
    if (this.shownImage !== null) this.setLevels({ low: this.shownImage.low, high: this.shownImage.high });
  }

  /** Sets the image's own window, gamma 1, not inverted. */
  resetLevels(): void {
    const { low, high } = this.shownImage ?? { low: 0, high: 255 };
    this.setLevels({ low, high, gamma: 1, invert: false });
  }

  /** Contrast-limited adaptive equalisation (CLAHE) of the picture; null ends it. Resolves when it is shown. */
  setEqualisation(settings: Equalisation | null): Promise<void> {
    return this.equalised.set(settings, this.shownImage);
  }

  get appearance(): Readonly<Appearance> {
    return this.look;
  }

  setAppearance(appearance: Partial<Appearance>): void {
    this.look = { ...this.look, ...appearance };
    this.restyle();
  }

  /** Hides the masks while it is true. */
  setPeek(peek: boolean): void {
    if (peek === this.peeking) return;
    this.peeking = peek;
    this.emit("peek", peek);
    this.restyle();
  }

  get peek(): boolean {
    return this.peeking;
  }

  setBrushSize(size: number): void {
    if (this.shownEditor === null) return;
    const before = this.shownEditor.brush.size;
    this.shownEditor.setBrush({ size });
    const after = this.shownEditor.brush.size;
    if (after !== before) this.emit("brushChanged", { size: after });
    this.invalidate();
  }

  fit(): void {
    this.view.fit();
    this.viewMoved();
  }

  actualSize(): void {
    this.view.actualSize();
    this.viewMoved();
  }

  /** Around the middle of the view. */
  zoomBy(factor: number): void {
    this.view.zoomAt(this.view.width / 2, this.view.height / 2, factor);
    this.viewMoved();
  }

  panBy(dx: number, dy: number): void {
    this.view.pan(dx, dy);
    this.viewMoved();
  }

  /** Brings an object into the middle, with the zoom as it is. */
  reveal(id: string): void {
    const mask = this.shownEditor?.object(id)?.mask.snapshot();
    if (mask === undefined || mask.width === 0) return;
    this.view.centreOn([mask.x + mask.width / 2, mask.y + mask.height / 2]);
    this.viewMoved();
  }

  /** Moves the keyboard's cursor by image pixels; it appears in the middle of the view. */
  moveCursor(dx: number, dy: number): void {
    this.use.moveCursor(dx, dy);
  }

  /**
   * Does with the tool what the pointer would do at the keyboard's cursor: a click; a dab, or with `hold` a stroke
   * until `releaseCursor`; a corner of a box (the second completes it) or of a lasso (the first again closes it).
   */
  pressCursor(options: { positive?: boolean; hold?: boolean } = {}): void {
    this.use.pressCursor(options.positive ?? true, options.hold ?? false);
  }

  releaseCursor(): void {
    this.use.releaseCursor();
  }

  closeLasso(): void {
    this.use.closeLasso();
  }

  get cursor(): Point | null {
    return this.use.cursor;
  }

  /** Ends whatever is under way; what was painted stays. */
  finish(): void {
    this.input.finish();
    this.use.finish();
  }

  /** Cancels whatever is under way and reverts it. */
  cancel(): void {
    this.input.finish();
    this.use.cancel();
    this.invalidate();
  }

  /** To be called after `view` was changed from outside. */
  viewMoved(): void {
    this.viewStale = true;
    this.emit("viewChanged", { zoom: this.shownImage === null ? null : this.view.zoom });
    this.invalidate();
  }

  restyle(): void {
    this.stylesStale = true;
    this.invalidate();
  }

  /** Draws at the next frame. */
  invalidate(): void {
    this.canvases.invalidate();
  }

  /** Resolves after the next frame was drawn. */
  drawn(): Promise<void> {
    return this.canvases.drawn();
  }

  dispose(): void {
    this.setCase(null, null);
    this.canvases.dispose();
    this.input.dispose();
    this.renderer.dispose();
  }

  private readonly paint = (): void => {
    const start = performance.now();
    if (this.viewStale) this.renderer.setView(this.view.state());
    if (this.stylesStale && this.shownEditor !== null) {
      this.renderer.setStyles(stylesOf(this.shownEditor, this.look, this.peeking));
    }
    // While a stroke is running the labels stay where they were.
    if ((this.viewStale || this.stylesStale) && !this.shownEditor?.stroking) {
      this.labels.draw(this.look.numbers && !this.peeking ? this.shownEditor : null, this.view, this.viewStale);
    }
    this.viewStale = false;
    this.stylesStale = false;
    this.renderer.draw();
    this.overlay.draw(this.view, this.use.scene(this.peeking));
    this.timings.frames.add(performance.now() - start);
  };

  /** The labels as they are drawn. */
  get shownLabels(): readonly PlacedLabel[] {
    return this.labels.shown;
  }

  private readonly resized = (width: number, height: number, dpr: number): void => {
    this.view.resize(width, height, dpr);
    this.renderer.resize(width, height, dpr);
    this.viewMoved();
  };
}
