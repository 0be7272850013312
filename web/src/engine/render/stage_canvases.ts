/** The canvases of the stage in an element of the page, as large as it in device pixels; drawn at most once a frame. */
export class StageCanvases {
  readonly picture = canvasIn("picture");
  readonly labels = canvasIn("labels");
  readonly overlay = canvasIn("overlay");
  private readonly observer: ResizeObserver;
  private pixelRatio: MediaQueryList | null = null;
  private frame = 0;
  private waiting: (() => void)[] = [];

  /** `resized` gets CSS pixels and is called at the start and with every change of size; `paint` draws all canvases. */
  constructor(
    private readonly host: HTMLElement,
    private readonly resized: (width: number, height: number, dpr: number) => void,
    private readonly paint: () => void,
  ) {
    host.append(this.picture, this.labels, this.overlay);
    if (getComputedStyle(host).position === "static") host.style.position = "relative";
    this.observer = new ResizeObserver(() => this.measure());
  }

  /** Begins to follow the element's size. */
  follow(): void {
    this.observer.observe(this.host);
    this.measure();
    this.watchPixelRatio();
  }

  /** Draws at the next frame. */
  invalidate(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(this.draw);
  }

  /** Resolves after the next frame was drawn. */
  drawn(): Promise<void> {
    this.invalidate();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.frame = -1;
    this.observer.disconnect();
    this.pixelRatio?.removeEventListener("change", this.onPixelRatio);
    this.picture.remove();
    this.labels.remove();
    this.overlay.remove();
  }

  private readonly draw = (): void => {
    this.frame = 0;
    this.paint();
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  };

  private measure(): void {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (width === 0 || height === 0 || this.frame < 0) return;
    const dpr = window.devicePixelRatio;
    const [across, down] = [Math.round(width * dpr), Math.round(height * dpr)];
    // Setting the size clears the canvas, even if it stays the same.
    for (const canvas of [this.labels, this.overlay]) {
      if (canvas.width !== across) canvas.width = across;
      if (canvas.height !== down) canvas.height = down;
    }
    this.resized(width, height, dpr);
    // A resized canvas is empty; waiting for the next frame would show it like that.
    cancelAnimationFrame(this.frame);
    this.draw();
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

function canvasIn(layer: string): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.dataset.layer = layer;
  canvas.style.cssText = "position:absolute;inset:0;width:100%;height:100%;display:block;pointer-events:none";
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}
