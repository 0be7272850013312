import type { CaseEditor, CaseObject } from "../editing/case_editor";
import type { Point } from "../geometry/point";
import type { View, ViewState } from "../geometry/view";
import { type Interior, interiorOf } from "../masks/interior";
import { rgbOf } from "../palette";

/** What stands on an object. */
export interface ObjectLabel {
  text: string;
  /** A tooth's number, which stands on it even where there is hardly room. */
  short: boolean;
}

/** A label at its place, in screen pixels. */
export interface PlacedLabel {
  id: string;
  text: string;
  active: boolean;
  colour: string;
  /** Middle of the text. */
  x: number;
  y: number;
  width: number;
  height: number;
  size: number;
}

const [SMALLEST, LARGEST] = [12, 18];
/** Of a tooth's number in a crowd, where there is no room for a larger one. */
const CROWDED = 10;
/** Where a label is tried, in its heights from the thickest part. */
const STEPS = [0, 0.5, -0.5, 1, -1, 1.5, -1.5, 2, -2, 2.5, -2.5, 3, -3];
const LEAST_RADIUS = 2;
const PADDING = 2;
/** A click's mark, which a label should leave free. */
const MARK = 9;
const DARK = "rgb(0 0 0 / 0.85)";

/** Where each object's label may stand: the thickest part of its mask, found anew after a change. */
export class Interiors {
  private readonly found = new Map<string, Interior | null>();

  changed(id: string): void {
    this.found.delete(id);
  }

  clear(): void {
    this.found.clear();
  }

  of(object: CaseObject): Interior | null {
    let interior = this.found.get(object.id);
    if (interior === undefined) {
      interior = interiorOf(object.mask);
      this.found.set(object.id, interior);
    }
    return interior;
  }
}

/**
 * The labels that find room, the active object's first, then those of large objects. One that would lie on another moves
 * up or down within its mask; a tooth's number becomes smaller before it is left out.
 */
export function placeLabels(
  editor: CaseEditor,
  view: View,
  interiors: Interiors,
  labelOf: (object: CaseObject) => ObjectLabel | null,
  widthOf: (text: string, size: number) => number,
): PlacedLabel[] {
  const placed: PlacedLabel[] = [];
  const rank = (object: CaseObject) => (object.id === editor.activeId ? Infinity : object.area);
  for (const object of [...editor.objects].sort((a, b) => rank(b) - rank(a))) {
    const label = object.hidden ? null : labelOf(object);
    const interior = label === null ? null : interiors.of(object);
    if (label === null || interior === null) continue;
    const active = object.id === editor.activeId;
    const radius = interior.radius * view.zoom;
    const largest = Math.round(Math.min(LARGEST, Math.max(SMALLEST, 0.9 * radius)));
    const boxOf = (size: number) => ({
      width: widthOf(label.text, size) + 2 * PADDING,
      height: size + 2 * PADDING,
      size,
    });
    const { width, height } = boxOf(largest);
    const fits = label.short ? radius >= LEAST_RADIUS : 2.4 * radius >= height && 5 * radius >= width;
    if (!active && !fits) continue;
    const marks = active ? object.prompts.clicks.map(([x, y]) => view.toScreen(x + 0.5, y + 0.5)) : [];
    const [x, middle] = view.toScreen(...interior.at);
    const isFree = (box: Box) =>
      !placed.some((other) => touch(box, other)) &&
      !marks.some(([mx, my]) => touch(box, { x: mx, y: my, width: 2 * MARK, height: 2 * MARK }));
    const sizes = label.short && !active ? [...new Set([largest, SMALLEST, CROWDED])] : [largest];
    const place = sizes
      .flatMap((size) => STEPS.map((step) => ({ ...boxOf(size), x, y: middle + step * boxOf(size).height })))
      .find((box) => (box.y === middle || inside(object, view.toImage(x, box.y))) && isFree(box));
    if (place === undefined && !active) continue;
    placed.push({
      id: object.id,
      text: label.text,
      active,
      colour: editor.colourOf(object),
      ...(place ?? { ...boxOf(largest), x, y: middle }),
    });
  }
  return placed;
}

/** Whether the two would look the same. */
export function sameLabels(a: readonly PlacedLabel[], b: readonly PlacedLabel[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ text, active, colour, x, y, size }, index) => {
      const other = b[index]!;
      const same = text === other.text && active === other.active && colour === other.colour;
      return same && x === other.x && y === other.y && size === other.size;
    })
  );
}

function inside(object: CaseObject, [x, y]: Point): boolean {
  return object.mask.get(Math.floor(x), Math.floor(y)) === 1;
}

type Box = Pick<PlacedLabel, "x" | "y" | "width" | "height">;

/** Boxes given by their middles. */
function touch(a: Box, b: Box): boolean {
  return 2 * Math.abs(a.x - b.x) < a.width + b.width && 2 * Math.abs(a.y - b.y) < a.height + b.height;
}

/** The canvas with the labels: drawn when one of them or the view has changed, and not with every move of the brush. */
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
  { text, active, colour, x, y, width, height, size }: PlacedLabel,
): void {
  context.font = font(size);
  const baseline = y + 0.06 * size;
  if (!active) {
    context.strokeStyle = DARK;
    context.lineWidth = 3.5;
    context.strokeText(text, x, baseline);
    context.fillStyle = "#fff";
    context.fillText(text, x, baseline);
    return;
  }
  context.beginPath();
  context.roundRect(x - width / 2 - 1, y - height / 2, width + 2, height, 5);
  context.fillStyle = colour;
  context.fill();
  context.strokeStyle = DARK;
  context.lineWidth = 3;
  context.stroke();
  context.strokeStyle = "#fff";
  context.lineWidth = 1.5;
  context.stroke();
  context.fillStyle = isLight(colour) ? "#000" : "#fff";
  context.fillText(text, x, baseline);
}

function isLight(colour: string): boolean {
  const [red, green, blue] = rgbOf(colour);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 115;
}
