import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { ToastList } from "./toast_list";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const texts = (toasts: ToastList) => toasts.get().list.map(({ text }) => text);

it("shows a text once, for as long as it was said last", () => {
  const toasts = new ToastList();
  toasts.show("one");
  vi.advanceTimersByTime(2000);
  toasts.show("one");
  expect(texts(toasts)).toEqual(["one"]);
  vi.advanceTimersByTime(2000);
  expect(texts(toasts)).toEqual(["one"]);
  vi.advanceTimersByTime(2000);
  expect(texts(toasts)).toEqual([]);
});

it("leaves time for what can be done about a message", () => {
  const toasts = new ToastList();
  const id = toasts.show("closed", "note", { label: "Undo", run: () => undefined });
  vi.advanceTimersByTime(10_000);
  expect(texts(toasts)).toEqual(["closed"]);
  toasts.dismiss(id);
  expect(texts(toasts)).toEqual([]);
});
