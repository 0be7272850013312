import type { Point } from "../../engine/geometry/point";
import { intersection, type Rect } from "../../engine/geometry/rect";

interface Size {
  width: number;
  height: number;
}

/** Distance from the object, in screen pixels. */
const GAP = 14;

/**
 * The upper left corner of the picture of an object's choices, inside `room` and off the object; all in screen pixels. It goes to the side
 * of the root, where a click on the next tooth does not fall: above an object of the upper jaw, below one of the lower jaw.
 */
export function picturePlace(object: Rect, { width, height }: Size, room: Rect, jaw: "upper" | "lower"): Point {
  const [middleX, middleY] = [object.x + (object.width - width) / 2, object.y + (object.height - height) / 2];
  const above: Point = [middleX, object.y - GAP - height];
  const below: Point = [middleX, object.y + object.height + GAP];
  const places: Point[] = [
    ...(jaw === "upper" ? [above, below] : [below, above]),
    [object.x + object.width + GAP, middleY],
    [object.x - GAP - width, middleY],
  ];
  const covered = ([x, y]: Point) => {
    const both = intersection({ x, y, width, height }, object);
    return both.width * both.height;
  };
  return places
    .map(
      ([x, y]): Point => [
        clamp(x, room.x, room.x + room.width - width),
        clamp(y, room.y, room.y + room.height - height),
      ],
    )
    .reduce((best, place) => (covered(place) < covered(best) ? place : best));
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}
