import { describe, expect, it } from "vitest";

import { type Direction, type Numbered, shiftOfRun } from "./run_shift";

const tooth = (category: string | null, state: Partial<Numbered> = {}): Numbered => ({
  id: `${category}`,
  category,
  accepted: false,
  locked: false,
  ...state,
});
const arch = ["18", "17", "16", "12", "11", "21", "22", "55", "54", "implant", null].map((number) => tooth(number));

function shown(objects: readonly Numbered[], start: string, direction: Direction, isKnown = (_: string) => true) {
  const found = objects.find(({ id }) => id === start)!;
  return shiftOfRun(objects, found, direction, isKnown).map(
    ({ from, to, onto }) => `${from}>${to ?? "-"}${onto === null ? "" : `:${onto}`}`,
  );
}

describe("a shift of a run of numbers", () => {
  it("moves a tooth and those behind it, in its quadrant alone", () => {
    expect(shown(arch, "16", "mesial")).toEqual(["16>15", "17>16", "18>17"]);
    expect(shown(arch, "17", "mesial")).toEqual(["17>16:other", "18>17"]);
    expect(shown(arch, "22", "distal")).toEqual(["22>23"]);
  });

  it("says where there is no number beyond, in each dentition, and where the schema has none", () => {
    expect(shown(arch, "16", "distal")).toEqual(["16>17", "17>18", "18>-"]);
    expect(shown(arch, "54", "distal")).toEqual(["54>55", "55>-"]);
    expect(shown(arch, "16", "mesial", (number) => number !== "15")).toEqual(["16>-", "17>16", "18>17"]);
  });

  it("goes over the midline at the first tooth", () => {
    expect(shown(arch, "11", "mesial")).toEqual(["11>21:other", "12>11", "16>15", "17>16", "18>17"]);
    expect(shown([tooth("31"), tooth("32")], "31", "mesial")).toEqual(["31>41", "32>31"]);
    expect(shown([tooth("71"), tooth("41")], "71", "mesial")).toEqual(["71>81"]);
  });

  it("leaves accepted and locked teeth as they are, and says where one would land on them", () => {
    const objects = [tooth("34"), tooth("35"), tooth("36", { accepted: true }), tooth("37", { locked: true })];
    expect(shown(objects, "34", "distal")).toEqual(["34>35", "35>36:accepted"]);
    expect(shown(objects, "37", "distal")).toEqual([]);
  });

  it("moves accepted ones too where the first one is accepted", () => {
    const objects = [tooth("34", { accepted: true }), tooth("35", { accepted: true }), tooth("36")];
    expect(shown(objects, "34", "distal")).toEqual(["34>35", "35>36", "36>37"]);
  });

  it("is nothing for what is not a tooth", () => {
    expect(shown(arch, "implant", "distal")).toEqual([]);
    expect(shown(arch, "null", "distal")).toEqual([]);
  });

  it("and back is nothing at all", () => {
    const there = shiftOfRun(arch, arch[2]!, "mesial", () => true);
    const moved = arch.map((object) => ({
      ...object,
      category: there.find(({ id }) => id === object.id)?.to ?? object.category,
    }));
    const back = shiftOfRun(moved, moved[2]!, "distal", () => true);
    expect(back.map(({ id, to }) => [id, to])).toEqual(there.map(({ id, from }) => [id, from]));
  });
});
