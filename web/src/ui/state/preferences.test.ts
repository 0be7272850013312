import { describe, expect, it } from "vitest";

import { DEFAULTS, openPreferences } from "./preferences";
import { storage } from "./storage.testing";

describe("preferences", () => {
  it("are remembered for each annotator alone", () => {
    const place = storage();
    openPreferences("anna", place).set({ fill: 0.15, theme: "light" });
    expect(openPreferences("anna", place).get()).toMatchObject({
      fill: 0.15,
      theme: "light",
      outline: DEFAULTS.outline,
    });
    expect(openPreferences("ben", place).get()).toEqual(DEFAULTS);
  });

  it("survive damaged storage and values of another type", () => {
    const damaged = storage({ "dentasam/preferences/anna": "{" });
    expect(openPreferences("anna", damaged).get()).toEqual(DEFAULTS);
    const odd = storage({
      "dentasam/preferences/anna": JSON.stringify({
        fill: "much",
        brush: { size: 9, shape: null },
        sections: 3,
        new: 1,
      }),
    });
    expect(openPreferences("anna", odd).get()).toEqual({ ...DEFAULTS, brush: { ...DEFAULTS.brush, size: 9 } });
  });

  it("hold where nothing can be stored", () => {
    const full = {
      getItem: () => null,
      setItem: () => {
        throw new Error("full");
      },
    };
    const store = openPreferences("anna", full);
    store.set({ fill: 0.7 });
    expect(store.get().fill).toBe(0.7);
  });

  it("start with what can be seen on an X-ray", () => {
    expect(DEFAULTS.theme).toBe("dark");
    expect(DEFAULTS.fill).toBeGreaterThanOrEqual(0.3);
    expect(DEFAULTS.fill).toBeLessThanOrEqual(0.5);
    expect(DEFAULTS.outline).toBe(1);
  });
});
