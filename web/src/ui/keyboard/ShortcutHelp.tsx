import { useEffect, useRef } from "react";

import { useBench, useWorkbench } from "../state/context";
import { startTour } from "../tour/Tour";
import { SHORTCUTS, type ShortcutGroup } from "./shortcuts";

const GROUPS: ShortcutGroup[] = ["Tools", "Masks", "Objects", "View", "Cases", "Canvas by keyboard"];

const SIGNS: Record<string, string> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
};

function shown(key: string): string {
  const parts = key.length > 1 ? key.split("+") : [key];
  return parts.map((part) => SIGNS[part] ?? part).join("+");
}

export function ShortcutHelp() {
  const { bench } = useWorkbench();
  const open = useBench((state) => state.help);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open && !dialog.current?.open) dialog.current?.showModal();
    if (!open) dialog.current?.close();
  }, [open]);
  return (
    <dialog
      ref={dialog}
      className="help"
      aria-labelledby="help-title"
      onClose={() => bench.state.set({ help: false })}
      data-testid="help-dialog"
    >
      <div className="dialog-head">
        <h2 id="help-title">Keys</h2>
        <button type="button" className="quiet" onClick={() => startTour(bench)} data-testid="help-tour">
          Show the tour
        </button>
        <button type="button" className="quiet" onClick={() => bench.state.set({ help: false })}>
          Close
        </button>
      </div>
      <div className="help-groups">
        {GROUPS.map((group) => (
          <section key={group} aria-label={group}>
            <h3>{group}</h3>
            <dl>
              {SHORTCUTS.filter((shortcut) => shortcut.group === group).map(({ command, keys, title }) => (
                <div key={command}>
                  <dt>
                    {(keys.length > 4 ? ["1 … 8"] : keys).map((key) => (
                      <kbd key={key}>{shown(key)}</kbd>
                    ))}
                  </dt>
                  <dd>{title}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  );
}
