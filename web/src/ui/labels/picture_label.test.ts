import { expect, it } from "vitest";

import type { Label } from "../../api/types";
import { pictureLabel } from "./picture_label";

const label = (name: string, title: string, kind: Label["kind"]) => [name, { name, title, kind } as Label] as const;
const LABELS = new Map([
  label("36", "First molar", "tooth"),
  label("implant", "Implant", "restoration"),
  label("rtl", "تاج\u200f (36)", "restoration"),
  label("odd", "gnp\u202e.exe", "restoration"),
]);

it.each([
  ["36", false, null, null, { text: "36", short: true }],
  ["36", true, 0.95, null, { text: "36", short: true }],
  ["36", true, 0.85, null, { text: "36?", short: true, unsure: true }],
  ["implant", true, 0.5, null, { text: "Implant?", short: false, unsure: true }],
  // Once a person has accepted it or changed it, nobody is unsure of it.
  ["36", false, 0.5, null, { text: "36", short: true }],
  ["odd", false, null, null, { text: "gnp\\u202e.exe", short: false }],
  ["3\u009b6", false, null, null, { text: "3\\u009b6", short: true }],
  ["rtl", false, null, null, { text: "تاج\u200f (36)", short: false }],
  [null, false, null, null, { text: "?", short: true }],
  [null, false, null, "46", { text: "46?", short: true }],
] as const)(
  "labels %s, proposed %s with confidence %s, offered %s",
  (category, proposed, confidence, offer, shown) => {
    expect(pictureLabel({ category, proposed, confidence }, offer, 0.9, LABELS)).toEqual(shown);
  },
);
