import type { ViewState } from "../geometry/view";
import { rgbOf, UNSURE_COLOUR } from "../palette";
import type { PlacedLabel } from "./label_placement";

const DARK = "rgb(0 0 0 / 0.85)";

/** The canvas with the labels: drawn when a label or the view has changed, not with every move of the brush. */
export class LabelLayer {
  private readonly context: CanvasRenderingContext2D;
  private readonly widths = new Map<string, number>();

  constructor(canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("the browser gives no 2D canvas");
    this.context = context;
  }

  widthOf = (text: string, size: number): number => {
    const key = `${size} ${text}`;
    let width = this.widths.get(key);
    if (width === undefined) {
      this.context.font = font(size);
      width = this.context.measureText(text).width;
      this.widths.set(key, width);
    }
    return width;
  };

  draw(labels: readonly PlacedLabel[], { dpr }: ViewState): void {
    const { context } = this;
    const { width, height } = context.canvas;
    context.resetTransform();
    // In two parts, for the same reason as in the overlay.
    context.clearRect(0, 0, width, height - 1);
    context.clearRect(0, height - 1, width, 1);
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    for (const label of [...labels].reverse()) drawLabel(context, label);
  }
}

function font(size: number): string {
  return `700 ${size}px system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif`;
}

function drawLabel(
  context: CanvasRenderingContext2D,
  { text, active, unsure, colour, x, y, width, height, size }: PlacedLabel,
): void {
  context.font = font(size);
  const baseline = y + 0.06 * size;
  if (!active) {
    context.strokeStyle = DARK;
    context.lineWidth = 3.5;
    context.strokeText(text, x, baseline);
    context.fillStyle = unsure ? UNSURE_COLOUR : "#fff";
    context.fillText(text, x, baseline);
    return;
  }
  context.beginPath();
  context.roundRect(x - width / 2 - 1, y - height / 2, width + 2, height, 5);
  const plate = unsure ? UNSURE_COLOUR : colour;
  context.fillStyle = plate;
  context.fill();
  context.strokeStyle = DARK;
  context.lineWidth = 3;
  context.stroke();
  context.strokeStyle = "#fff";
  context.lineWidth = 1.5;
  context.stroke();
  context.fillStyle = isLight(plate) ? "#000" : "#fff";
  context.fillText(text, x, baseline);
}

function isLight(colour: string): boolean {
  const [red, green, blue] = rgbOf(colour);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 115;
}
