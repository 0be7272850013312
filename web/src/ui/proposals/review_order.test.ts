import { describe, expect, it } from "vitest";

import type { ObjectSource } from "../../engine/operations";
import { inReviewOrder, nextToReview, type Reviewed } from "./review_order";

const proposal = (category: string, confidence: number | null, accepted = false): Reviewed => ({
  id: category,
  category,
  index: Number(category),
  source: "proposal" as ObjectSource,
  accepted,
  confidence,
});
const options = { threshold: 0.9, unsureFirst: true, labels: new Map() };
const ids = (objects: readonly Reviewed[]) => objects.map(({ id }) => id);

const MIXED = [
  proposal("41", 0.99),
  proposal("85", 0.95),
  proposal("45", 0.9),
  proposal("36", 0.5),
  proposal("18", 0.95),
  proposal("55", 0.97),
  proposal("11", 0.4),
  proposal("21", 0.92),
];

describe("the order of the review", () => {
  it("is that of the chart, deciduous teeth beside their successors", () => {
    expect(ids(inReviewOrder(MIXED, { ...options, unsureFirst: false }))).toEqual([
      "18",
      "55",
      "11",
      "21",
      "45",
      "85",
      "41",
      "36",
    ]);
  });

  it("has the least sure proposals first where the annotator wants that", () => {
    expect(ids(inReviewOrder(MIXED, options)).slice(0, 3)).toEqual(["11", "36", "18"]);
    expect(ids(inReviewOrder([...MIXED, proposal("48", null)], options))[0]).toBe("48");
  });

  it("does not put objects of people first, however unsure the model was of their masks", () => {
    const own = { ...proposal("38", 0.1), source: "model" as const };
    expect(ids(inReviewOrder([...MIXED, own], options)).indexOf("38")).toBe(8);
  });
});

describe("the next object to accept", () => {
  it("visits each once, from the first to the last", () => {
    const objects = MIXED.map((object) => ({ ...object }));
    const seen: string[] = [];
    let at: string | null = null;
    for (;;) {
      const next: Reviewed | null = nextToReview(objects, at, options);
      if (next === null) break;
      next.accepted = true;
      seen.push(next.id);
      at = next.id;
    }
    expect(seen).toEqual(ids(inReviewOrder(MIXED, options)));
  });

  it("goes on from one that was passed over, and comes back to it at the end", () => {
    expect(nextToReview(MIXED, "11", options)?.id).toBe("36");
    expect(nextToReview(MIXED, "41", options)?.id).toBe("11");
    const rest = MIXED.map((object) => ({ ...object, accepted: object.id !== "11" && object.id !== "41" }));
    expect(nextToReview(rest, "41", options)?.id).toBe("11");
    expect(nextToReview(rest, "11", options)?.id).toBe("41");
  });

  it("is the active one itself where it alone is left, and none where all are accepted", () => {
    const one = MIXED.map((object) => ({ ...object, accepted: object.id !== "21" }));
    expect(nextToReview(one, "21", options)?.id).toBe("21");
    expect(nextToReview(one, null, options)?.id).toBe("21");
    const all = MIXED.map((object) => ({ ...object, accepted: true }));
    expect(nextToReview(all, "21", options)).toBeNull();
  });
});
