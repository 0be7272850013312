import { describe, expect, it } from "vitest";

import { DECIDUOUS, isDeciduous, isTooth, neighbour, PERMANENT, quadrantOf, toothUses, typeDigit } from "./fdi";

describe("odontogram", () => {
  it("shows the patient's right on the left, the midline between the central incisors", () => {
    expect(PERMANENT[0]).toEqual("18 17 16 15 14 13 12 11 21 22 23 24 25 26 27 28".split(" "));
    expect(PERMANENT[1]).toEqual("48 47 46 45 44 43 42 41 31 32 33 34 35 36 37 38".split(" "));
    expect(DECIDUOUS[0]).toEqual("55 54 53 52 51 61 62 63 64 65".split(" "));
    expect(DECIDUOUS[1]).toEqual("85 84 83 82 81 71 72 73 74 75".split(" "));
  });

  it("has 32 permanent and 20 deciduous teeth", () => {
    expect(new Set(PERMANENT.flat()).size).toBe(32);
    expect(new Set(DECIDUOUS.flat()).size).toBe(20);
    expect(PERMANENT.flat().some(isDeciduous)).toBe(false);
    expect(DECIDUOUS.flat().every(isDeciduous)).toBe(true);
  });

  it("moves with the arrow keys and stops at the edges", () => {
    expect(neighbour(PERMANENT, "11", "ArrowRight")).toBe("21");
    expect(neighbour(PERMANENT, "11", "ArrowDown")).toBe("41");
    expect(neighbour(PERMANENT, "18", "ArrowLeft")).toBe("18");
    expect(neighbour(PERMANENT, "18", "ArrowUp")).toBe("18");
    expect(neighbour(PERMANENT, "36", "Home")).toBe("48");
    expect(neighbour(PERMANENT, "36", "End")).toBe("38");
  });

  it("tells what is known of each number", () => {
    const own = (category: string | null, accepted: boolean) => ({
      category,
      accepted,
      proposed: false,
      confidence: null,
    });
    const proposed = (category: string, confidence: number | null) => ({
      category,
      accepted: false,
      proposed: true,
      confidence,
    });
    const objects = [
      own("11", false),
      own("12", true),
      own("13", true),
      own("13", false),
      own("caries", true),
      own(null, false),
      proposed("14", 0.9),
      proposed("15", 0.89),
      proposed("16", null),
      proposed("17", 0.3),
    ];
    // One that is there after all is not missing.
    expect(Object.fromEntries(toothUses(objects, ["18", "17"], 0.9))).toEqual({
      "11": "assigned",
      "12": "accepted",
      "13": "twice",
      "14": "proposed",
      "15": "unsure",
      "16": "unsure",
      "17": "unsure",
      "18": "missing",
    });
  });

  it("puts deciduous teeth into the quadrant of their successors", () => {
    expect(["18", "25", "36", "41", "55", "61", "75", "81"].map(quadrantOf)).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
    expect(["implant", null, "19", "86"].map(quadrantOf)).toEqual([null, null, null, null]);
  });
});

describe("typing a number", () => {
  it("accepts exactly the 52 numbers of FDI", () => {
    const accepted = [];
    for (let number = 0; number < 100; number++) {
      const [first, second] = [...String(number).padStart(2, "0")] as [string, string];
      const start = typeDigit(null, first);
      if (start.kind !== "waiting") continue;
      const typed = typeDigit(start.first, second);
      if (typed.kind === "tooth") accepted.push(typed.number);
    }
    expect(accepted.sort()).toEqual([...PERMANENT, ...DECIDUOUS].flat().sort());
  });

  it("refuses a wrong second digit and waits for none", () => {
    expect(typeDigit("5", "6")).toEqual({ kind: "wrong", text: "56" });
    expect(typeDigit(null, "9")).toEqual({ kind: "wrong", text: "9" });
    expect(isTooth("19")).toBe(false);
  });
});
