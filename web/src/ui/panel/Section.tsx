import type { ReactNode } from "react";

import { usePreferences, useWorkbench } from "../state/context";
import type { Preferences } from "../state/preferences";

interface SectionProps {
  name: keyof Preferences["sections"];
  title: string;
  note?: string;
  action?: ReactNode;
  children: ReactNode;
}

/** A part of the side panel that can be closed; the browser remembers which are. */
export function Section({ name, title, note, action, children }: SectionProps) {
  const { bench } = useWorkbench();
  const open = usePreferences((preferences) => preferences.sections[name]);
  const toggle = () => bench.preferences.set({ sections: { ...bench.preferences.get().sections, [name]: !open } });
  return (
    <section className={`panel-part section-${name} ${open ? "open" : ""}`} aria-label={title} data-region={name}>
      <header className="panel-head">
        <button
          type="button"
          className="section-title"
          aria-expanded={open}
          onClick={toggle}
          data-testid={`section-${name}`}
        >
          <span className="twist" aria-hidden="true" />
          {title}
        </button>
        {note && <span className="panel-note">{note}</span>}
        {action}
      </header>
      {open && <div className="section-body">{children}</div>}
    </section>
  );
}
