import { expect, test } from "vitest";
import { visible } from "./visible_text";

test("controls and direction marks are shown", () => {
  expect(visible("a\u202egnp.exe")).toBe("a\\u202egnp.exe");
  expect(visible("\u009b2J\u007f\u0000\u2028\u2066\u200f")).toBe("\\u009b2J\\u007f\\u0000\\u2028\\u2066\\u200f");
});

test("letters of all languages stay", () => {
  for (const name of ["Zähne 36.png", "العربية", "می\u200cخواهم", "歯", "👩\u200d⚕️"])
    expect(visible(name)).toBe(name);
});
