import type { Point } from "../../engine/geometry/point";
import { intersection, isEmpty, type Rect } from "../../engine/geometry/rect";

export type Side = "right" | "left" | "below" | "above";

interface Size {
  width: number;
  height: number;
}

/** Distance of the question from its click, in screen pixels; as in stage.css. */
const GAP = 18;

/** The side of a click where its question covers least: inside the stage, and off the object that it names. */
export function questionSide([x, y]: Point, question: Size, object: Rect, room: Size): Side {
  const { width, height } = question;
  const boxes: Record<Side, Rect> = {
    right: { x: x + GAP, y: y - height / 2, width, height },
    left: { x: x - GAP - width, y: y - height / 2, width, height },
    below: { x: x - width / 2, y: y + GAP, width, height },
    above: { x: x - width / 2, y: y - GAP - height, width, height },
  };
  const whole = { x: 0, y: 0, width: room.width, height: room.height };
  const hidden = (box: Rect) => width * height - shared(box, whole);
  const cost = (box: Rect) => hidden(box) * 1000 + shared(box, object);
  const sides = Object.keys(boxes) as Side[];
  return sides.reduce((best, side) => (cost(boxes[side]) < cost(boxes[best]) ? side : best));
}

function shared(a: Rect, b: Rect): number {
  const both = intersection(a, b);
  return isEmpty(both) ? 0 : both.width * both.height;
}
