import type { BrushOptions } from "../../engine/editing/case_editor";
import { Store } from "./store";

/** Settings of one annotator, kept in the browser; they are not part of the log and are not undone. */
export interface Preferences {
  theme: "dark" | "light";
  fill: number;
  outline: number;
  outlineWidth: number;
  dimOthers: boolean;
  numbers: boolean;
  /** Proposals that the model is less sure of, 0..1, are marked, and not accepted together with others. */
  threshold: number;
  /** Whether `Enter` goes to unsure proposals first. */
  unsureFirst: boolean;
  gamma: number;
  invert: boolean;
  equalise: boolean;
  brush: BrushOptions;
  autoRefine: boolean;
  /** Strength of smoothing, 1 to 5. */
  smoothing: number;
  deciduous: boolean;
  worklist: boolean;
  panel: boolean;
  /** Sections of the side panel that are open. */
  sections: { proposals: boolean; checks: boolean; objects: boolean; display: boolean; comments: boolean };
  sort: "name" | "uncertainty";
  /** Whether *Done* asks where a case has few objects. */
  askFew: boolean;
  /** Whether the annotator has seen the tour, or closed it. */
  introduced: boolean;
}

const MIN_DISPLAY_HEIGHT = 760;

export const DEFAULTS: Preferences = {
  theme: "dark",
  fill: 0.4,
  outline: 1,
  outlineWidth: 2,
  dimOthers: false,
  numbers: true,
  threshold: 0.9,
  unsureFirst: true,
  gamma: 1,
  invert: false,
  equalise: false,
  brush: { shape: "round", size: 24, mode: "overlap", limited: false, tolerance: 10 },
  autoRefine: false,
  smoothing: 2,
  deciduous: false,
  // On a small screen the picture needs the width more.
  worklist: (globalThis.innerWidth ?? 1920) >= 1500,
  panel: true,
  // On a low screen, and where controls are as large as fingers, the objects need the room of the display.
  sections: {
    proposals: true,
    checks: true,
    objects: true,
    display:
      !globalThis.matchMedia?.("(pointer: coarse)").matches && (globalThis.innerHeight ?? 1080) >= MIN_DISPLAY_HEIGHT,
    comments: false,
  },
  sort: "name",
  askFew: true,
  introduced: false,
};

type PreferenceStorage = Pick<Storage, "getItem" | "setItem">;

function matches(pattern: unknown, value: unknown): boolean {
  return (
    typeof pattern === typeof value && (typeof pattern !== "object" || (value !== null && !Array.isArray(value)))
  );
}

/** Stored choices over the defaults; what is unknown or of another type is ignored. */
function merged<T extends object>(defaults: T, stored: unknown): T {
  if (!matches(defaults, stored)) return defaults;
  const found = stored as Record<string, unknown>;
  const entries = Object.entries(defaults).map(([key, value]: [string, unknown]) => {
    if (!matches(value, found[key])) return [key, value];
    return [key, value !== null && typeof value === "object" ? merged(value, found[key]) : found[key]];
  });
  return Object.fromEntries(entries) as T;
}

export function openPreferences(annotator: string, storage: PreferenceStorage = localStorage): Store<Preferences> {
  const key = `dentasam/preferences/${annotator}`;
  let stored: unknown = null;
  try {
    stored = JSON.parse(storage.getItem(key) ?? "null");
  } catch {
    // The storage is damaged or forbidden: the defaults are used.
  }
  const store = new Store(merged(DEFAULTS, stored));
  store.subscribe(() => {
    try {
      storage.setItem(key, JSON.stringify(store.get()));
    } catch {
      // The storage is full: the setting lasts until the page is closed.
    }
  });
  return store;
}
