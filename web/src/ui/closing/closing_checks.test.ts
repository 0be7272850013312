import { describe, expect, it } from "vitest";

import type { Label } from "../../api/types";
import { Bitmask, BoxMask } from "../../engine/masks/mask";
import { DECIDUOUS, PERMANENT } from "../labels/fdi";
import { type Checked, fullSet, reasonsAgainst } from "./closing_checks";

const SIZE = 400;
const label = (name: string, kind: Label["kind"] = "tooth"): [string, Label] => [
  name,
  { name, title: name, kind, colour: "#ffffff" } as Label,
];
const TEETH = [...PERMANENT, ...DECIDUOUS].flat();
const LABELS = new Map([
  ...TEETH.map((tooth) => label(tooth)),
  label("caries", "lesion"),
  label("restoration", "restoration"),
]);

let count = 0;
function object(
  category: string | null,
  x: number,
  y: number,
  width: number,
  height: number,
  accepted = true,
): Checked {
  const mask = Bitmask.of(new BoxMask(x, y, width, height, new Uint8Array(width * height).fill(1)), SIZE, SIZE);
  return { id: `${++count}`, category, accepted, mask };
}

/** `many` teeth side by side, with numbers of their own. */
function teeth(many: number): Checked[] {
  return TEETH.slice(0, many).map((tooth, at) => object(tooth, at * 10, 0, 8, 20));
}

const kinds = (objects: Checked[], asksFew = true) =>
  reasonsAgainst(objects, LABELS, asksFew).map(({ kind }) => kind);

describe("closing a case", () => {
  it("asks nothing where enough objects stand side by side with labels", () => {
    expect(kinds(teeth(28))).toEqual([]);
    expect(kinds(teeth(14))).toEqual([]);
  });

  it("asks where nothing is there, whatever was chosen", () => {
    expect(kinds([], false)).toEqual(["none"]);
  });

  it("asks where fewer objects are there than half of a full set of teeth", () => {
    expect(fullSet(LABELS)).toBe(28);
    expect(kinds(teeth(13))).toEqual(["few"]);
    expect(kinds(teeth(13), false)).toEqual([]);
    // A schema without teeth says nothing about how many there are.
    expect(reasonsAgainst([object("caries", 0, 0, 5, 5)], new Map([label("caries", "lesion")]))).toEqual([]);
    const milk = new Map(DECIDUOUS.flat().map((tooth) => label(tooth)));
    expect(fullSet(milk)).toBe(20);
  });

  it("names the objects without a label, without pixels and without acceptance", () => {
    const [plain, empty, open] = [
      object(null, 0, 200, 9, 9),
      object("48", 0, 0, 0, 0),
      object("caries", 50, 200, 9, 9, false),
    ];
    expect(reasonsAgainst([...teeth(14), plain, empty, open], LABELS)).toEqual([
      { kind: "empty", objects: [empty.id] },
      { kind: "unlabelled", objects: [plain.id] },
      { kind: "not-accepted", objects: [open.id] },
    ]);
  });

  it("names both teeth of one number, wherever they lie", () => {
    const rest = teeth(20).filter(({ category }) => category !== "16");
    const [one, two] = [object("16", 0, 100, 20, 20), object("16", 200, 100, 20, 20)];
    expect(reasonsAgainst([...rest, one, two], LABELS)).toEqual([
      { kind: "number-twice", objects: [one.id, two.id] },
    ]);
  });

  // Two squares of 20 x 20, the second moved to the right: they share (20 - shift) x 20 pixels.
  it.each([
    ["caries", "caries", 10, true],
    ["caries", "caries", 11, false],
    [null, null, 10, true],
    ["caries", "restoration", 0, false],
    // Of two teeth it is the union that counts: 6 / 14 of 20 x 20 pixels are less than a half, 7 / 13 are more.
    ["48", "38", 7, false],
    ["48", "38", 6, true],
    ["48", "caries", 0, false],
  ])("%s and %s, %i pixels apart, are the same: %s", (first, second, shift, same) => {
    const pair = [object(first, 100, 100, 20, 20), object(second, 100 + shift, 100, 20, 20)];
    const others = teeth(20).filter(({ category }) => category !== "48" && category !== "38");
    const found = reasonsAgainst([...others, ...pair], LABELS).find(({ kind }) => kind === "same-pixels");
    expect(found?.objects ?? []).toEqual(same ? pair.map(({ id }) => id) : []);
  });

  it("sees a small object within a large one of its class", () => {
    const pair = [object("caries", 100, 100, 60, 60), object("caries", 110, 110, 9, 9)];
    expect(reasonsAgainst([...teeth(14), ...pair], LABELS)).toEqual([
      { kind: "same-pixels", objects: pair.map(({ id }) => id) },
    ]);
  });
});
