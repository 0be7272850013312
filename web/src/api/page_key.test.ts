import { afterEach, describe, expect, it, vi } from "vitest";

import { pageKey, withKey } from "./page_key";

afterEach(() => vi.unstubAllGlobals());

describe("the key of the page", () => {
  it("goes along in addresses, behind what they ask for", () => {
    vi.stubGlobal("localStorage", { getItem: (name: string) => (name === "dentasam-key" ? "a-b_c" : null) });
    expect(pageKey()).toBe("a-b_c");
    expect(withKey("/logout")).toBe("/logout?key=a-b_c");
    expect(withKey("/api/export/png", new URLSearchParams({ finished: "true" }))).toBe(
      "/api/export/png?finished=true&key=a-b_c",
    );
  });

  it("is left out where there is none, and where the browser keeps nothing", () => {
    vi.stubGlobal("localStorage", { getItem: () => null });
    expect(withKey("/logout")).toBe("/logout");
    vi.stubGlobal("localStorage", {
      getItem: () => {
        throw new Error("denied");
      },
    });
    expect(pageKey()).toBe("");
  });
});
