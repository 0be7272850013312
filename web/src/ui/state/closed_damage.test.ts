import { expect, it } from "vitest";

import type { DamagedPart } from "../../api/types";
import { ClosedDamage } from "./closed_damage";
import { storage } from "./storage.testing";

const part = (object: string | null, what = "is damaged") => ({ object, what, label: null }) as DamagedPart;

it("shows a closed notice again for a new damage, and not for the same", () => {
  const place = storage();
  const first = new ClosedDamage("w", "anna", place);
  const [a, b] = [part("a"), part("b")];
  expect(first.notice(1, [a])).toEqual([a]);
  first.close(1, [a]);
  expect(first.notice(1, [a])).toEqual([]);
  // In another case it is another damage.
  expect(first.notice(2, [a])).toEqual([a]);
  expect(first.notice(1, [a, b])).toEqual([a, b]);
  expect(first.notice(1, [part("a", "is missing")])).toHaveLength(1);
  // After the page was loaded again, for the same annotator alone.
  expect(new ClosedDamage("w", "anna", place).notice(1, [a])).toEqual([]);
  expect(new ClosedDamage("w", "ben", place).notice(1, [a])).toEqual([a]);
  expect(new ClosedDamage("other", "anna", place).notice(1, [a])).toEqual([a]);
});

it("shows the same damage again once it had been mended", () => {
  const place = storage();
  const notices = new ClosedDamage("w", "anna", place);
  notices.close(1, [part(null)]);
  expect(notices.notice(1, [])).toEqual([]);
  expect(new ClosedDamage("w", "anna", place).notice(1, [part(null)])).toHaveLength(1);
});

it.each(["{", "3", '[["x"]]', "null"])("shows all where the browser kept %s", (kept) => {
  const notices = new ClosedDamage("w", "anna", storage({ "dentasam/closed-damage/w/anna": kept }));
  expect(notices.notice(1, [part("a")])).toHaveLength(1);
});

it("holds where nothing can be stored", () => {
  const full = {
    getItem: () => {
      throw new Error("denied");
    },
    setItem: () => {
      throw new Error("full");
    },
  };
  const notices = new ClosedDamage("w", "anna", full);
  notices.close(1, [part("a")]);
  expect(notices.notice(1, [part("a")])).toEqual([]);
});
