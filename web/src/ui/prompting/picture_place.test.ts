import { describe, expect, it } from "vitest";

import { picturePlace } from "./picture_place";

const PICTURE = { width: 200, height: 100 };
const ROOM = { x: 0, y: 0, width: 1000, height: 600 };

describe("the picture of an object's choices", () => {
  it.each([
    ["above a tooth of the upper jaw", { x: 480, y: 200, width: 40, height: 90 }, "upper", [400, 86]],
    ["below one of the lower jaw", { x: 480, y: 300, width: 40, height: 90 }, "lower", [400, 404]],
    ["inside the stage at its edge", { x: 960, y: 200, width: 40, height: 90 }, "upper", [800, 86]],
    ["on the other side where the stage ends", { x: 480, y: 60, width: 40, height: 90 }, "upper", [400, 164]],
    ["beside an object as high as the stage", { x: 480, y: 10, width: 40, height: 580 }, "upper", [534, 250]],
    ["left of it near the right edge", { x: 900, y: 10, width: 90, height: 580 }, "upper", [686, 250]],
    [
      "over the least of an object that fills the stage",
      { x: -50, y: 40, width: 2000, height: 700 },
      "upper",
      [800, 0],
    ],
  ] as const)("stands %s", (_, object, jaw, place) => {
    expect(picturePlace(object, PICTURE, ROOM, jaw)).toEqual(place);
  });
});
