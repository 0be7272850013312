import { expect, test } from "vitest";
import { visible, visibleSentences } from "./visible_text";

test("controls and direction marks are shown", () => {
  expect(visible("a\u202egnp.exe")).toBe("a\\u202egnp.exe");
  expect(visible("\u009b2J\u007f\u0000\u2028\u2066\u200f")).toBe("\\u009b2J\\u007f\\u0000\\u2028\\u2066\\u200f");
});

test("letters of all languages stay", () => {
  for (const name of ["Zähne 36.png", "العربية", "می\u200cخواهم", "歯", "👩\u200d⚕️"])
    expect(visible(name)).toBe(name);
});

test("sentences keep their lines, letters and marks, and nothing turns them around", () => {
  expect(visibleSentences("apex\u202e gnp\u2066\u0007\u009b31m\u007f")).toBe(
    "apex\\u202e gnp\\u2066\\u0007\\u009b31m\\u007f",
  );
  for (const text of ["two\n\tlines 🦷👩\u200d⚕️", "السن\u200f 36", "a\u2028b"])
    expect(visibleSentences(text)).toBe(text);
});
