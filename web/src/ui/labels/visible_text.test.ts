import { expect, test } from "vitest";
import { visible, visibleSentences } from "./visible_text";

test("controls and direction marks are shown", () => {
  expect(visible("a\u202egnp.exe")).toBe("a\\u202egnp.exe");
  expect(visible("\u009b2J\u007f\u0000\u2028\u2066\u200f")).toBe("\\u009b2J\\u007f\\u0000\\u2028\\u2066\\u200f");
});

test("characters of no width are shown, with which two names would look alike", () => {
  for (const code of [0xad, 0x34f, 0x115f, 0x180e, 0x200b, 0x2060, 0x2064, 0x3164, 0xfeff, 0xffa0, 0xfe0f])
    expect(visible(`11${String.fromCodePoint(code)}`)).toBe(`11\\u${code.toString(16).padStart(4, "0")}`);
  expect(visible("11\u{e0041}\u{e0100}")).toBe("11\\U000e0041\\U000e0100");
  expect(visible("🦷\ufe0f\ufe0f")).toBe("🦷\ufe0f\\ufe0f");
});

test("letters of all languages stay", () => {
  for (const name of ["Zähne 36.png", "العربية", "می\u200cخواهم", "歯", "👩\u200d⚕️", "1️⃣", "葛\u{e0100}城", "☎︎"])
    expect(visible(name)).toBe(name);
});

test("sentences keep their lines, letters and marks, and nothing turns them around", () => {
  expect(visibleSentences("apex\u202e gnp\u2066\u0007\u009b31m\u007f")).toBe(
    "apex\\u202e gnp\\u2066\\u0007\\u009b31m\\u007f",
  );
  for (const text of [
    "two\n\tlines 🦷👩\u200d⚕️",
    "🏴\u{e0067}\u{e007f}",
    "soft\u00adhyphen",
    "السن\u200f 36",
    "a\u2028b",
  ])
    expect(visibleSentences(text)).toBe(text);
});
