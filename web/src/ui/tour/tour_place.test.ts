import { describe, expect, it } from "vitest";

import { cardPlace } from "./tour_place";

const card = { width: 320, height: 140 };
const page = { width: 1280, height: 800 };

describe("the card of the tour", () => {
  it.each([
    ["a column at the left", { left: 0, top: 40, width: 46, height: 718 }],
    ["a column at the right", { left: 944, top: 40, width: 336, height: 200 }],
    ["a bar at the top", { left: 500, top: 5, width: 60, height: 30 }],
    ["a bar at the bottom", { left: 10, top: 765, width: 500, height: 30 }],
    ["the corner", { left: 1240, top: 5, width: 30, height: 30 }],
  ])("stands beside %s and covers none of it", (_, target) => {
    const { left, top } = cardPlace(target, card, page);
    expect(left).toBeGreaterThanOrEqual(0);
    expect(top).toBeGreaterThanOrEqual(0);
    expect(left + card.width).toBeLessThanOrEqual(page.width);
    expect(top + card.height).toBeLessThanOrEqual(page.height);
    const apart =
      left >= target.left + target.width ||
      left + card.width <= target.left ||
      top >= target.top + target.height ||
      top + card.height <= target.top;
    expect(apart).toBe(true);
  });

  it("stands at the lower edge of the picture, whose middle it leaves free", () => {
    const stage = { left: 46, top: 40, width: 898, height: 718 };
    expect(cardPlace(stage, card, page)).toEqual({ left: 58, top: 606 });
  });

  it("stands at the lower edge of a narrow page, and where its target is not shown", () => {
    expect(cardPlace(null, card, page)).toEqual({ left: 480, top: 648 });
    expect(
      cardPlace({ left: 0, top: 0, width: 50, height: 50 }, { width: 366, height: 150 }, { width: 390, height: 844 }),
    ).toEqual({ left: 12, top: 682 });
  });
});
