import { describe, expect, it } from "vitest";

import { isTextField, keyName, keyOf, SHORTCUTS, shortcutFor } from "./shortcuts";

const press = (key: string, held: Partial<Record<"ctrlKey" | "metaKey" | "altKey" | "shiftKey", boolean>> = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...held,
});

describe("shortcuts", () => {
  it("has no key twice and no command twice", () => {
    const keys = SHORTCUTS.flatMap((shortcut) => shortcut.keys);
    expect(keys.length).toBe(new Set(keys).size);
    const commands = SHORTCUTS.map((shortcut) => shortcut.command);
    expect(commands.length).toBe(new Set(commands).size);
  });

  it("leaves the ten digits to the tooth numbers", () => {
    for (const digit of "0123456789") expect(shortcutFor(press(digit))?.command).toBe("digit");
  });

  it.each([
    ["b", {}, "tool-brush"],
    ["B", { shiftKey: false }, "tool-brush"],
    ["z", { ctrlKey: true }, "undo"],
    ["z", { metaKey: true }, "undo"],
    ["Z", { ctrlKey: true, shiftKey: true }, "redo"],
    ["y", { ctrlKey: true }, "redo"],
    ["Tab", { shiftKey: true }, "previous-object"],
    ["?", { shiftKey: true }, "help"],
    [" ", {}, "peek"],
    ["[", {}, "smaller"],
    ["p", {}, "choose-next"],
    [",", {}, "less-fill"],
    [".", {}, "more-fill"],
  ] as const)("reads %j with %j as %s", (key, held, command) => {
    expect(shortcutFor(press(key, held))?.command).toBe(command);
  });

  it("takes a bracket typed with AltGr, and nothing typed with Alt", () => {
    const altGraph = {
      ...press("[", { ctrlKey: true, altKey: true }),
      getModifierState: (key: string) => key === "AltGraph",
    };
    expect(shortcutFor(altGraph)?.command).toBe("smaller");
    expect(keyName(press("b", { altKey: true }))).toBeNull();
  });

  it("does not take the browser's own Ctrl keys", () => {
    for (const key of ["c", "v", "f", "r", "t", "w", "l"])
      expect(shortcutFor(press(key, { ctrlKey: true }))).toBeNull();
  });

  it("knows where text is typed", () => {
    const field = (tagName: string, type?: string) => ({ tagName, type }) as unknown as EventTarget;
    expect(isTextField(field("TEXTAREA"))).toBe(true);
    expect(isTextField(field("INPUT", "search"))).toBe(true);
    expect(isTextField(field("INPUT", "number"))).toBe(true);
    expect(isTextField(field("SELECT"))).toBe(true);
    expect(isTextField(field("INPUT", "range"))).toBe(false);
    expect(isTextField(field("INPUT", "checkbox"))).toBe(false);
    expect(isTextField(field("BUTTON"))).toBe(false);
    expect(isTextField(null)).toBe(false);
  });

  it("names the first key of a command", () => {
    expect(keyOf("redo")).toBe("Ctrl+Y");
  });
});
