import { expect, it } from "vitest";

import { chartPlace } from "./chart_order";

it("goes along the upper arch, then along the lower one, with deciduous teeth after their successors", () => {
  const upper = ["18", "15", "55", "11", "51", "21", "61", "25", "65", "28"];
  const lower = ["48", "45", "85", "41", "31", "71", "38", "implant"];
  const order = [...upper, ...lower];
  expect([...order].reverse().sort((a, b) => chartPlace(a) - chartPlace(b))).toEqual(order);
});
