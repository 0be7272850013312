import { describe, expect, it } from "vitest";

import { questionSide } from "./question_place";

const QUESTION = { width: 200, height: 60 };
const ROOM = { width: 1000, height: 600 };

describe("the question beside a click", () => {
  it.each([
    ["right where it may", [300, 300], { x: 100, y: 250, width: 80, height: 100 }, "right"],
    ["left of a click with the object at its right", [500, 300], { x: 560, y: 250, width: 80, height: 100 }, "left"],
    ["below, between the object and the edge", [900, 300], { x: 780, y: 200, width: 80, height: 115 }, "below"],
    [
      "above where the object is on all other sides",
      [900, 300],
      { x: 600, y: 290, width: 290, height: 200 },
      "above",
    ],
    ["in the picture though it covers the object", [980, 30], { x: 700, y: 0, width: 300, height: 300 }, "left"],
  ] as const)("stands %s", (_, at, object, side) => {
    expect(questionSide([...at], QUESTION, object, ROOM)).toBe(side);
  });
});
