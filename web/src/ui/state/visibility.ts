import { nameOf } from "../labels/label_names";
import { DEFAULTS } from "./preferences";
import type { Workbench } from "./workbench";

/** Fill and outline with less opacity together are invisible on an X-ray. */
const MIN_VISIBLE_OPACITY = 0.1;

/**
 * Makes an object, and masks in general, visible before they are changed: ends a peek, resets a transparency at which nothing
 * can be seen, and shows a hidden object. Shows a message about what it did; false where all was visible already.
 */
export function bringIntoSight(bench: Workbench, id: string | null = bench.editor?.activeId ?? null): boolean {
  const { editor, stage, preferences } = bench;
  const said: string[] = [];
  if (stage?.peek) {
    stage.setPeek(false);
    said.push("The masks are shown again.");
  }
  const { fill, outline } = preferences.get();
  if (1 - (1 - fill) * (1 - outline) < MIN_VISIBLE_OPACITY) {
    preferences.set({ fill: DEFAULTS.fill, outline: DEFAULTS.outline });
    said.push("The masks were transparent; they are shown again.");
  }
  const object = id === null ? undefined : editor?.object(id);
  if (editor && object?.hidden) {
    editor.hide(object.id, false);
    said.push(`${nameOf(object.category, bench.labels)} was hidden; it is shown again.`);
  }
  if (said.length > 0) bench.toast(said.join(" "));
  return said.length > 0;
}
