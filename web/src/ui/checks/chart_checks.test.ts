import { describe, expect, it } from "vitest";

import type { Label } from "../../api/types";
import { Bitmask, BoxMask } from "../../engine/masks/mask";
import { PERMANENT } from "../labels/fdi";
import { chartChecks } from "./chart_checks";

const LABELS = new Map(
  [...PERMANENT.flat(), "55", "85"]
    .map((name) => [name, { name, title: name, kind: "tooth" } as Label] as const)
    .concat([["implant", { name: "implant", title: "Implant", kind: "restoration" } as Label]]),
);
const WIDTH = 40;
const STEP = 42;

interface Drawn {
  number: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A full set of teeth side by side, all of one size, the lower arch below the upper one. */
function fullSet(): Drawn[] {
  return PERMANENT.flatMap((row, jaw) =>
    row.map((number, at) => ({ number, x: 60 + STEP * at, y: 40 + 120 * jaw, width: WIDTH, height: 100 })),
  );
}

function checks(teeth: readonly Drawn[], missing: readonly string[] = []): string[] {
  const objects = teeth.map(({ number, x, y, width, height }, index) => ({
    id: `${number}#${index}`,
    category: number,
    accepted: false,
    mask: Bitmask.of(new BoxMask(x, y, width, height, new Uint8Array(width * height).fill(1)), 900, 400),
  }));
  return chartChecks(objects, missing, LABELS).map(({ kind, objects: found, absent }) => {
    const names = found.map((id) => id.split("#")[0]).join(" ");
    return absent.length > 0 ? `${kind}: ${names} (${absent.join(" ")})` : `${kind}: ${names}`;
  });
}

const without = (teeth: Drawn[], ...numbers: string[]) => teeth.filter(({ number }) => !numbers.includes(number));
const changed = (teeth: Drawn[], number: string, change: Partial<Drawn>) =>
  teeth.map((tooth) => (tooth.number === number ? { ...tooth, ...change } : tooth));
const at = (number: string) => fullSet().find((tooth) => tooth.number === number)!;

describe("the checks of a chart", () => {
  it("find nothing in a full set, in one without third molars, and in one without a single tooth", () => {
    expect(checks(fullSet())).toEqual([]);
    expect(checks(without(fullSet(), "18", "28", "38", "48"))).toEqual([]);
    expect(checks([])).toEqual([]);
  });

  it("find a number that is used twice, once for all who have it", () => {
    expect(checks(changed(fullSet(), "35", { number: "36" }))).toEqual([
      "number-twice: 36 36",
      "skipped: 34 36 (35)",
    ]);
  });

  it("find exchanged neighbours, but not crowded ones", () => {
    const swapped = changed(fullSet(), "35", { x: at("36").x });
    const exchanged = changed(swapped, "36", { x: at("35").x });
    expect(checks(exchanged).filter((check) => check.startsWith("order"))).toEqual(["order: 35 36"]);
    const crowded = changed(fullSet(), "42", { x: at("41").x + 3 });
    expect(checks(crowded).filter((check) => check.startsWith("order"))).toEqual([]);
  });

  it("find a tooth on the other side of the midline", () => {
    const mirrored = changed(fullSet(), "13", { number: "23" });
    expect(checks(mirrored).filter((check) => check.startsWith("side"))).toEqual(["side: 23"]);
    // Incisors may stand a little over it.
    const moved = fullSet().map((tooth) => (tooth.number === "11" ? { ...tooth, x: tooth.x + 10 } : tooth));
    expect(checks(moved).filter((check) => check.startsWith("side"))).toEqual([]);
  });

  it("find sizes out of the family, among at least four of it", () => {
    const small = changed(fullSet(), "36", { height: 30 });
    expect(checks(small)).toEqual(["size: 36"]);
    expect(checks(changed(fullSet(), "38", { height: 30 }))).toEqual([]);
    expect(checks(changed(fullSet(), "38", { height: 15 }))).toEqual(["size: 38"]);
    expect(checks(changed(fullSet(), "13", { height: 39, y: 60 }))).toEqual(["size: 13"]);
    expect(checks(changed(without(fullSet(), "23"), "13", { height: 39 }), ["23"])).toEqual([]);
  });

  it("find teeth of different numbers on the same pixels", () => {
    expect(checks(changed(fullSet(), "45", { x: at("44").x }))).toContain("same-pixels: 45 44");
  });

  it("find a number that is skipped between teeth that touch, until it is marked as missing", () => {
    const closed = without(fullSet(), "15").map((tooth) =>
      ["16", "17", "18"].includes(tooth.number) ? { ...tooth, x: tooth.x + STEP } : tooth,
    );
    expect(checks(closed)).toEqual(["skipped: 16 14 (15)"]);
    expect(checks(closed, ["15"])).toEqual([]);
  });

  it("find wide gaps, until what is missing is marked, an implant is there, or a deciduous tooth", () => {
    const open = without(fullSet(), "46", "45");
    expect(checks(open)).toEqual(["gap: 47 44 (46 45)"]);
    expect(checks(open, ["46"])).toEqual(["gap: 47 44 (45)"]);
    expect(checks(open, ["45", "46"])).toEqual([]);
    expect(checks([...open, { ...at("46"), number: "implant" }])).toEqual([]);
    expect(checks([...without(fullSet(), "45"), { ...at("45"), number: "85" }])).toEqual([]);
    // An implant of the other jaw fills nothing.
    expect(checks([...open, { ...at("16"), number: "implant" }])).toContain("gap: 47 44 (46 45)");
  });

  it("find a wide gap between neighbours by number", () => {
    const apart = fullSet().map((tooth) =>
      ["24", "25", "26", "27", "28"].includes(tooth.number) ? { ...tooth, x: tooth.x + 30 } : tooth,
    );
    expect(checks(apart)).toEqual(["gap: 23 24"]);
  });

  it("say nothing of gaps while a chart is at its beginning", () => {
    const few = fullSet().filter(({ number }) => ["11", "12", "17", "36"].includes(number));
    expect(checks(few)).toEqual([]);
  });
});
