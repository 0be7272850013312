import { type Appearance, DEFAULT_APPEARANCE, stylesOf } from "./appearance";
import { type Equalisation, equaliseInSlices } from "./clahe";
import { createRenderer } from "./create_renderer";
import type { CaseEditor } from "./editor";
import { type Levels, sane } from "./levels";
import { drawOverlay } from "./overlay";
import { PointerInput } from "./pointer_input";
import type { Renderer } from "./renderer";
import { Samples } from "./samples";
import { type StageTool, ToolUse } from "./tool_use";
import type { BoxPrompt, CaseImage, Point } from "./types";
import { View } from "./view";

export type { Appearance } from "./appearance";
export type { StageTool } from "./tool_use";

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
  viewChanged: { zoom: number };
  levelsChanged: Levels;
  select: { id: string | null };
  peek: boolean;
  warning: string;
}

export interface StageOptions {
  renderer?: Renderer["kind"];
  /** What one finger does while no pen was seen; with a pen about it pans. */
  touch?: "draw" | "pan";
}

type Listeners = { [K in keyof StageEvents]: Set<(event: StageEvents[K]) => void> };

/** The picture with its masks in an element of the page: drawing, tools, pointer. Draws at most once a frame. */
export class Stage {
  readonly view = new View();
  readonly renderer: Renderer;
  /** Milliseconds: of each pointer event's handler, of each frame's drawing. */
  readonly timings = { events: new Samples(), frames: new Samples() };
  /** Asked when a brush or lasso is used and no object is active: may create one and return true. */
  ensureObject: (() => boolean) | null = null;

  private readonly picture = document.createElement("canvas");
  private readonly overlay = document.createElement("canvas");
  private readonly context: CanvasRenderingContext2D;
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
  private readonly use: ToolUse;
  private readonly input: PointerInput;
  private readonly observer: ResizeObserver;
  private shownEditor: CaseEditor | null = null;
  private shownImage: CaseImage | null = null;
  private release: (() => void)[] = [];
  private look: Appearance = DEFAULT_APPEARANCE;
  private shades: Levels = { low: 0, high: 255, gamma: 1, invert: false };
  private equalisation: Equalisation | null = null;
  private equalising: AbortController | null = null;
  private peeking = false;
  private viewStale = true;
  private stylesStale = true;
  private frame = 0;
  private waiting: (() => void)[] = [];
  private pixelRatio: MediaQueryList | null = null;

  constructor(
    readonly host: HTMLElement,
    options: StageOptions = {},
  ) {
    for (const canvas of [this.picture, this.overlay]) {
      canvas.style.cssText = "position:absolute;inset:0;width:100%;height:100%;display:block;pointer-events:none";
      canvas.setAttribute("aria-hidden", "true");
      host.append(canvas);
    }
    if (getComputedStyle(host).position === "static") host.style.position = "relative";
    host.style.touchAction = "none";
    host.style.userSelect = "none";
    if (!host.hasAttribute("tabindex")) host.tabIndex = 0;
    const context = this.overlay.getContext("2d");
    if (context === null) throw new Error("the browser gives no 2D canvas");
    this.context = context;
    this.renderer = createRenderer(this.picture, options.renderer);
    this.renderer.onRestored = () => this.invalidate();
    this.use = new ToolUse(this);
    this.input = new PointerInput(this, this.use, options.touch ?? "draw");
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(host);
    this.measure();
    this.watchPixelRatio();
  }

  on<K extends keyof StageEvents>(kind: K, listener: (event: StageEvents[K]) => void): () => void {
    this.listeners[kind].add(listener);
    return () => this.listeners[kind].delete(listener);
  }

  emit<K extends keyof StageEvents>(kind: K, event: StageEvents[K]): void {
    for (const listener of [...this.listeners[kind]]) listener(event);
  }

  get editor(): CaseEditor | null {
    return this.shownEditor;
  }

  get image(): CaseImage | null {
    return this.shownImage;
  }

  /** Shows a case, or nothing. What is under way in the last one is finished. */
  setCase(editor: CaseEditor | null, image: CaseImage | null): void {
    this.finish();
    for (const end of this.release) end();
    this.release = [];
    this.equalising?.abort();
    this.shownEditor = editor;
    this.shownImage = image;
    this.renderer.setImage(image);
    this.use.reset();
    if (this.renderer.warning !== null) this.emit("warning", this.renderer.warning);
    if (image !== null) {
      editor?.setImage(image);
      this.view.setImage(image.width, image.height);
      this.setLevels({ low: image.low, high: image.high });
    }
    if (editor !== null) {
      for (const object of editor.objects) this.renderer.updateMask(object.id, object.mask, null);
      this.release = [
        editor.onDirty((id, rect) => {
          const object = editor.object(id);
          if (object === undefined || object.deleted) this.renderer.removeMask(id);
          else this.renderer.updateMask(id, object.mask, rect);
          this.invalidate();
        }),
        editor.subscribe(() => this.restyle()),
      ];
    }
    if (this.equalisation !== null) void this.setEqualisation(this.equalisation);
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
    this.shades = sane({ ...this.shades, ...levels });
    this.renderer.setDisplay(this.shades);
    this.shownEditor?.setWindow(this.shades.low, this.shades.high);
    this.emit("levelsChanged", this.shades);
    this.invalidate();
  }

  /** The image's own window, gamma 1, not inverted. */
  resetLevels(): void {
    const { low, high } = this.shownImage ?? { low: 0, high: 255 };
    this.setLevels({ low, high, gamma: 1, invert: false });
  }

  /** Contrast-limited adaptive equalisation of what is shown; null ends it. Resolves when it shows. */
  async setEqualisation(settings: Equalisation | null): Promise<void> {
    this.equalising?.abort();
    this.equalisation = settings;
    const image = this.shownImage;
    if (settings === null || image === null) {
      this.renderer.setEqualised(null);
      this.invalidate();
      return;
    }
    const turn = new AbortController();
    this.equalising = turn;
    try {
      const pixels = await equaliseInSlices(image, settings, turn.signal);
      if (turn.signal.aborted) return;
      this.renderer.setEqualised(pixels);
      this.invalidate();
    } catch (error) {
      if (!turn.signal.aborted) throw error;
    }
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
    return this.use.cross;
  }

  /** Ends whatever is under way; what was painted stays. */
  finish(): void {
    this.input.finish();
    this.use.finish();
  }

  /** Ends whatever is under way and takes it back. */
  cancel(): void {
    this.input.finish();
    this.use.cancel();
    this.invalidate();
  }

  /** To be called after `view` was changed from outside. */
  viewMoved(): void {
    this.viewStale = true;
    this.emit("viewChanged", { zoom: this.view.zoom });
    this.invalidate();
  }

  restyle(): void {
    this.stylesStale = true;
    this.invalidate();
  }

  /** Draws at the next frame. */
  invalidate(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(this.paint);
  }

  /** Resolves after the next frame was drawn. */
  drawn(): Promise<void> {
    this.invalidate();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  dispose(): void {
    this.setCase(null, null);
    cancelAnimationFrame(this.frame);
    this.frame = -1;
    this.observer.disconnect();
    this.pixelRatio?.removeEventListener("change", this.onPixelRatio);
    this.input.dispose();
    this.renderer.dispose();
    this.picture.remove();
    this.overlay.remove();
  }

  private readonly paint = (): void => {
    const start = performance.now();
    this.frame = 0;
    if (this.viewStale) this.renderer.setView(this.view.state());
    if (this.stylesStale && this.shownEditor !== null) {
      this.renderer.setStyles(stylesOf(this.shownEditor, this.look, this.peeking));
    }
    this.viewStale = false;
    this.stylesStale = false;
    this.renderer.draw();
    drawOverlay(this.context, this.view, this.use.scene(this.peeking));
    this.timings.frames.add(performance.now() - start);
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  };

  private measure(): void {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (width === 0 || height === 0) return;
    const dpr = window.devicePixelRatio;
    this.view.resize(width, height, dpr);
    this.renderer.resize(width, height, dpr);
    this.overlay.width = Math.round(width * dpr);
    this.overlay.height = Math.round(height * dpr);
    this.viewMoved();
    // A canvas of a new size is empty; left to the next frame, this one would show it so.
    cancelAnimationFrame(this.frame);
    this.paint();
  }

  private readonly onPixelRatio = (): void => {
    this.measure();
    this.watchPixelRatio();
  };

  private watchPixelRatio(): void {
    this.pixelRatio?.removeEventListener("change", this.onPixelRatio);
    this.pixelRatio = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    this.pixelRatio.addEventListener("change", this.onPixelRatio);
  }
}
