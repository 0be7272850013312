import { describe, expect, it } from "vitest";
import { seeded } from "../seeded_random.testing";
import { fromModel, toModel, View } from "./view";

function viewOf(dpr: number): View {
  const view = new View();
  view.resize(1366, 768, dpr);
  view.setImage(3000, 1500);
  return view;
}

describe.each([1, 1.5, 2])("the view at %s device pixels to one", (dpr) => {
  it("leads there and back at any zoom and place", () => {
    const random = seeded(13);
    const view = viewOf(dpr);
    for (let round = 0; round < 300; round++) {
      view.zoomAt(random() * 1366, random() * 768, Math.exp(2 * random() - 1));
      view.pan(400 * (random() - 0.5), 400 * (random() - 0.5));
      const [x, y] = [random() * 3000, random() * 1500];
      const back = view.toImage(...view.toScreen(x, y));
      expect(back[0]).toBeCloseTo(x, 7);
      expect(back[1]).toBeCloseTo(y, 7);
    }
  });

  it("zooms to the cursor", () => {
    const view = viewOf(dpr);
    const before = view.toImage(700, 400);
    view.zoomAt(700, 400, 3.7);
    const after = view.toImage(700, 400);
    expect(after[0]).toBeCloseTo(before[0], 9);
    expect(after[1]).toBeCloseTo(before[1], 9);
  });

  it("shows an image pixel as a device pixel at its actual size", () => {
    const view = viewOf(dpr);
    view.actualSize();
    expect(view.zoom * dpr).toBeCloseTo(1, 12);
  });

  it("fits the whole image, again when the window changes, until the user zooms", () => {
    const view = viewOf(dpr);
    const inside = () => {
      const [left, top] = view.toScreen(0, 0);
      const [right, bottom] = view.toScreen(3000, 1500);
      expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
      expect(right).toBeLessThanOrEqual(view.width);
      expect(bottom).toBeLessThanOrEqual(view.height);
      expect(left + right).toBeCloseTo(view.width, 9);
    };
    inside();
    view.resize(800, 900, dpr);
    inside();
    view.zoomAt(400, 450, 2);
    const middle = view.toImage(400, 450);
    const { zoom } = view;
    view.resize(1000, 500, dpr);
    expect(view.zoom).toBe(zoom);
    expect(view.toImage(500, 250)[0]).toBeCloseTo(middle[0], 9);
  });
});

it("zoom has limits and the image stays in sight", () => {
  const view = viewOf(2);
  view.zoomAt(0, 0, 1e9);
  expect(view.zoom * view.dpr).toBe(64);
  view.pan(1e9, -1e9);
  const [left] = view.toScreen(0, 0);
  const [, bottom] = view.toScreen(3000, 1500);
  expect(left).toBeLessThan(view.width);
  expect(bottom).toBeGreaterThan(0);
  view.zoomAt(0, 0, 1e-9);
  expect(view.zoom).toBe(view.minZoom);
  expect(view.minZoom).toBeLessThan(view.fitZoom);
});

it("brings a point into sight and moves no more than that", () => {
  const view = viewOf(1);
  view.zoomAt(683, 384, 20);
  expect(view.reveal(view.toImage(600, 300))).toBe(false);
  expect(view.reveal(view.toImage(2000, 300))).toBe(true);
  const [x, y] = view.toScreen(...view.toImage(1342, 300));
  expect([x, y]).toEqual([expect.closeTo(1342, 6), expect.closeTo(300, 6)]);
});

describe("bringing a rectangle into sight", () => {
  const zoomedIn = () => {
    const view = viewOf(1);
    view.zoomAt(view.width / 2, view.height / 2, 2);
    return view;
  };
  /** The rectangle of the image that lies at these screen pixels. */
  const at = (view: View, x: number, y: number, width: number, height: number) => {
    const [left, top] = view.toImage(x, y);
    return { x: left, y: top, width: width / view.zoom, height: height / view.zoom };
  };

  it("leaves what is in sight where it is", () => {
    const view = zoomedIn();
    const before = view.state();
    expect(view.revealRect(at(view, 300, 200, 100, 150))).toBe(false);
    expect(view.state()).toEqual(before);
  });

  it("moves it in whole, with room around it, and does not zoom", () => {
    const view = zoomedIn();
    const { zoom, width, height } = view.state();
    const rect = at(view, width + 40, height - 80, 100, 150);
    expect(view.revealRect(rect)).toBe(true);
    expect(view.zoom).toBe(zoom);
    const [left, top] = view.toScreen(rect.x, rect.y);
    expect(left + 100).toBeCloseTo(width - 60, 6);
    expect(top + 150).toBeCloseTo(height - 60, 6);
    expect(view.revealRect(rect)).toBe(false);
  });

  it("puts the middle of what is too large into the middle", () => {
    const view = zoomedIn();
    const rect = at(view, 200, -300, 100, 2 * view.height);
    view.revealRect(rect);
    const [, middle] = view.toScreen(rect.x, rect.y + rect.height / 2);
    expect(middle).toBeCloseTo(view.height / 2, 6);
  });
});

describe("the model's points", () => {
  it("count a pixel's centre as its index", () => {
    expect(toModel([0.5, 0.5], 3000, 1500)).toEqual([0, 0]);
    expect(toModel([1200.5, 700.5], 3000, 1500)).toEqual([1200, 700]);
    expect(fromModel([1200, 700, 1])).toEqual([1200.5, 700.5]);
  });

  it("stay on the image", () => {
    expect(toModel([0, -8], 3000, 1500)).toEqual([0, 0]);
    expect(toModel([3000, 1500], 3000, 1500)).toEqual([2999, 1499]);
  });

  it("are those under the cursor with two device pixels to one", () => {
    const view = viewOf(2);
    view.zoomAt(300, 200, 5);
    const [screenX, screenY] = view.toScreen(1234.5, 567.5);
    const [x, y] = toModel(view.toImage(screenX, screenY), 3000, 1500);
    expect(x).toBeCloseTo(1234, 6);
    expect(y).toBeCloseTo(567, 6);
  });
});
