import { focusCanvas } from "../canvas/focus_canvas";
import type { AnnotationActions } from "../state/annotation_actions";
import type { Workbench } from "../state/workbench";
import { commandsOf, releasesOf } from "./commands";
import { isTextField, type Shortcut, shortcutFor } from "./shortcuts";

const CONTROLS = 'button, a[href], input, summary, [role="gridcell"], [role="option"], [role="radio"]';

/** Whether the focused control uses the key itself. */
function wanted(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(CONTROLS) !== null;
}

export function listenToKeys(bench: Workbench, actions: AnnotationActions): () => void {
  const commands = commandsOf(bench, actions);
  const releases = releasesOf(bench);
  const held = new Map<string, Shortcut>();
  // How many times in a row Tab went from object to object.
  let round = 0;
  // Whether Tab moves the focus through the page instead of going from object to object.
  let walking = false;

  const down = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (isTextField(event.target)) {
      if (event.key === "Escape") (event.target as HTMLElement).blur();
      return;
    }
    const shortcut = shortcutFor(event);
    if (!shortcut) return;
    const cycling = shortcut.command === "next-object" || shortcut.command === "previous-object";
    if (cycling) walking = wanted(event.target) || (walking && event.target === document.body);
    if ((shortcut.yields && wanted(event.target)) || (cycling && walking)) return;
    // A dialog takes all keys but the one that closes the help.
    if (document.querySelector("dialog[open]") && shortcut.command !== "help") return;
    // Without objects, and after a round through all of them, Tab moves the focus as on any page.
    round = cycling ? round + 1 : 0;
    if (cycling && round > (bench.editor?.objects.length ?? 0)) {
      round = 0;
      walking = true;
      if (document.activeElement === document.body) focusCanvas();
      return;
    }
    event.preventDefault();
    if (shortcut.held) held.set(event.code, shortcut);
    bench.recordActivity();
    commands[shortcut.command](event);
  };
  const release = (code: string) => {
    const shortcut = held.get(code);
    if (!shortcut) return;
    held.delete(code);
    releases[shortcut.command]?.();
  };
  const up = (event: KeyboardEvent) => release(event.code);
  const lost = () => [...held.keys()].forEach(release);
  const pressed = () => {
    round = 0;
    walking = false;
  };

  window.addEventListener("keydown", down);
  window.addEventListener("keyup", up);
  window.addEventListener("blur", lost);
  window.addEventListener("pointerdown", pressed, true);
  return () => {
    window.removeEventListener("keydown", down);
    window.removeEventListener("keyup", up);
    window.removeEventListener("blur", lost);
    window.removeEventListener("pointerdown", pressed, true);
  };
}
