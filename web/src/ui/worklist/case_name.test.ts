import { expect, it } from "vitest";

import { fitted } from "./case_name";

it("leaves out the middle of a long name and nothing of a short one", () => {
  expect(fitted("opg-0417.png")).toBe("opg-0417.png");
  const long = "university-clinic-north_2024-03-11_panorama_0000417_left.dcm";
  const shown = fitted(long);
  expect([...shown]).toHaveLength(36);
  const [head, tail] = shown.split("…") as [string, string];
  expect(long.startsWith(head) && long.endsWith(tail)).toBe(true);
  expect(tail).toContain("0000417_left.dcm");
});

it("cuts no sign in two", () => {
  expect(fitted("😀".repeat(60))).toBe(`${"😀".repeat(14)}…${"😀".repeat(21)}`);
});
