import type { CaseEditor, CaseObject } from "../editing/case_editor";
import type { Point } from "../geometry/point";
import type { View } from "../geometry/view";
import { type Interior, interiorOf } from "../masks/interior";

/** The text on an object. */
export interface ObjectLabel {
  text: string;
  /** A tooth number, which is drawn even where there is hardly room. */
  short: boolean;
  /** Drawn in the colour of what the model is unsure of. */
  unsure?: boolean;
}

/** A label at its place, in screen pixels. */
export interface PlacedLabel {
  id: string;
  text: string;
  active: boolean;
  unsure: boolean;
  colour: string;
  /** Middle of the text. */
  x: number;
  y: number;
  width: number;
  height: number;
  size: number;
}

const [MIN_SIZE, MAX_SIZE] = [12, 18];
/** Of a tooth's number in a crowd, where there is no room for a larger one. */
const CROWDED_SIZE = 10;
/** The places that are tried for a label, in label heights from the thickest part. */
const OFFSETS = [0, 0.5, -0.5, 1, -1, 1.5, -1.5, 2, -2, 2.5, -2.5, 3, -3];
/** And to the side, in label widths, where none of these is free: into one root of two. */
const ASIDE = [0, -0.5, 0.5];
const MIN_RADIUS = 2;
const PADDING = 2;
/** A click's mark, which a label should leave free. */
const CLICK_MARK_RADIUS = 9;

/** The thickest part of each object's mask, where its label is placed; computed again after a change. */
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
 * The labels that fit, the active object's first, then those of large objects. A label that would cover another one moves
 * up or down within its mask; a tooth's number becomes smaller, and moves aside, before it is left out.
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
    const largest = Math.round(Math.min(MAX_SIZE, Math.max(MIN_SIZE, 0.9 * radius)));
    const boxOf = (size: number) => ({
      width: widthOf(label.text, size) + 2 * PADDING,
      height: size + 2 * PADDING,
      size,
    });
    const { width, height } = boxOf(largest);
    const fits = label.short ? radius >= MIN_RADIUS : 2.4 * radius >= height && 5 * radius >= width;
    if (!active && !fits) continue;
    const marks = active ? object.prompts.clicks.map(([x, y]) => view.toScreen(x + 0.5, y + 0.5)) : [];
    const [x, middle] = view.toScreen(...interior.at);
    const isFree = (box: Box) =>
      !placed.some((other) => touch(box, other)) &&
      !marks.some(([mx, my]) =>
        touch(box, { x: mx, y: my, width: 2 * CLICK_MARK_RADIUS, height: 2 * CLICK_MARK_RADIUS }),
      );
    const sizes = label.short && !active ? [...new Set([largest, MIN_SIZE, CROWDED_SIZE])] : [largest];
    const place = (label.short ? ASIDE : [0])
      .flatMap((aside) =>
        sizes
          .map(boxOf)
          .flatMap((box) =>
            OFFSETS.map((step) => ({ ...box, x: x + aside * box.width, y: middle + step * box.height })),
          ),
      )
      .find(
        (box) => ((box.x === x && box.y === middle) || inside(object, view.toImage(box.x, box.y))) && isFree(box),
      );
    if (place === undefined && !active) continue;
    placed.push({
      id: object.id,
      text: label.text,
      active,
      unsure: label.unsure ?? false,
      colour: editor.colourOf(object),
      ...(place ?? { ...boxOf(largest), x, y: middle }),
    });
  }
  return placed;
}

/** Whether both would look the same. */
export function sameLabels(a: readonly PlacedLabel[], b: readonly PlacedLabel[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ text, active, unsure, colour, x, y, size }, index) => {
      const other = b[index]!;
      const same =
        text === other.text && active === other.active && unsure === other.unsure && colour === other.colour;
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
