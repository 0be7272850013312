import { expect, it } from "vitest";

import type { Label } from "../../api/types";
import { inChartOrder } from "./object_order";

const label = (name: string, kind: Label["kind"]): [string, Label] => [
  name,
  { name, title: name, colour: "#000000", kind } as Label,
];

it("lists teeth as the chart shows them, then other labels as the schema has them, what has none last", () => {
  const labels = new Map([label("36", "tooth"), label("implant", "restoration"), label("caries", "lesion")]);
  const made = [null, "caries", "38", "old-label", "55", "21", "48", "implant", "11", null, "18", "11"];
  const listed = inChartOrder(
    made.map((category, index) => ({ category, index })),
    labels,
  );
  expect(listed.map(({ category }) => category)).toEqual([
    "18",
    "55",
    "11",
    "11",
    "21",
    "48",
    "38",
    "implant",
    "caries",
    "old-label",
    null,
    null,
  ]);
  expect(listed.filter(({ category }) => category === "11").map(({ index }) => index)).toEqual([8, 11]);
  expect(listed.filter(({ category }) => category === null).map(({ index }) => index)).toEqual([0, 9]);
});
