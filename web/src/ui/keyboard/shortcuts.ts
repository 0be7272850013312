export type ShortcutGroup = "Tools" | "Masks" | "Objects" | "View" | "Cases" | "Canvas by keyboard";

export interface Shortcut {
  command: Command;
  keys: readonly string[];
  title: string;
  group: ShortcutGroup;
  /** Acts while the key is down; `release` follows when it goes up. */
  held?: boolean;
  /** A focused button, slider or list gets the key instead. */
  yields?: boolean;
}

export type Command =
  | "tool-click"
  | "tool-box"
  | "tool-brush"
  | "tool-eraser"
  | "tool-lasso-add"
  | "tool-lasso-subtract"
  | "tool-pan"
  | "tool-select"
  | "tool-window"
  | "swap"
  | "smaller"
  | "larger"
  | "undo"
  | "redo"
  | "refine"
  | "auto-refine"
  | "choose-next"
  | "fill-holes"
  | "drop-islands"
  | "smooth"
  | "new"
  | "new-same-tool"
  | "accept"
  | "accept-quadrant"
  | "accept-all"
  | "shift-mesial"
  | "shift-distal"
  | "next-object"
  | "previous-object"
  | "remove"
  | "hide"
  | "show-all"
  | "lock"
  | "digit"
  | "cancel"
  | "fit"
  | "actual-size"
  | "zoom-in"
  | "zoom-out"
  | "invert"
  | "peek"
  | "less-fill"
  | "more-fill"
  | "less-outline"
  | "more-outline"
  | "dim"
  | "numbers"
  | "fit-window"
  | "previous-case"
  | "next-case"
  | "worklist"
  | "panel"
  | "save"
  | "help"
  | "next-region"
  | "previous-region"
  | "left"
  | "right"
  | "up"
  | "down"
  | "far-left"
  | "far-right"
  | "far-up"
  | "far-down"
  | "press"
  | "press-negative"
  | "close-lasso";

const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"];

/** All shortcuts, for the key handler and the help. Keys are written as `keyName` returns them. */
export const SHORTCUTS: readonly Shortcut[] = [
  {
    command: "tool-click",
    keys: ["C"],
    title: "Click for the model (Shift or right button: negative)",
    group: "Tools",
  },
  { command: "tool-box", keys: ["M"], title: "Box for the model", group: "Tools" },
  { command: "tool-brush", keys: ["B"], title: "Brush", group: "Tools" },
  { command: "tool-eraser", keys: ["E"], title: "Eraser", group: "Tools" },
  { command: "tool-lasso-add", keys: ["L"], title: "Lasso, add", group: "Tools" },
  { command: "tool-lasso-subtract", keys: ["Shift+L"], title: "Lasso, subtract", group: "Tools" },
  { command: "tool-select", keys: ["S"], title: "Select an object on the picture", group: "Tools" },
  { command: "tool-pan", keys: ["V"], title: "Move the picture (also the middle button)", group: "Tools" },
  { command: "tool-window", keys: ["W"], title: "Window and level by dragging", group: "Tools" },
  {
    command: "swap",
    keys: ["X"],
    title: "Swap brush and eraser, positive and negative click, lasso add and subtract",
    group: "Tools",
  },
  { command: "smaller", keys: ["["], title: "Smaller brush (also Shift+wheel, Alt+drag)", group: "Tools" },
  { command: "larger", keys: ["]"], title: "Larger brush", group: "Tools" },

  { command: "undo", keys: ["Z", "Ctrl+Z"], title: "Undo, also the closing of a case", group: "Masks" },
  { command: "redo", keys: ["Ctrl+Y", "Ctrl+Shift+Z", "Shift+Z"], title: "Redo", group: "Masks" },
  { command: "refine", keys: ["R"], title: "Refine with the model from what was painted and erased", group: "Masks" },
  { command: "auto-refine", keys: ["Shift+R"], title: "Refine after every stroke, on or off", group: "Masks" },
  {
    command: "choose-next",
    keys: ["P"],
    title: "After the first click of an object: whole, part or smaller part",
    group: "Masks",
  },
  { command: "fill-holes", keys: ["G"], title: "Fill holes", group: "Masks" },
  { command: "drop-islands", keys: ["J"], title: "Drop islands", group: "Masks" },
  { command: "smooth", keys: ["U"], title: "Smooth the outline", group: "Masks" },

  {
    command: "new",
    keys: ["N"],
    title: "New object, with the click tool; beside a question: another object",
    group: "Objects",
  },
  { command: "new-same-tool", keys: ["Shift+N"], title: "New object, with the tool in hand", group: "Objects" },
  { command: "digit", keys: DIGITS, title: "Two digits: FDI number of the active object", group: "Objects" },
  {
    command: "accept",
    keys: ["Enter"],
    title:
      "Accept (with the offered number) and go to the next object, unsure proposals first; when all are accepted, close the case and open the next unfinished one; beside a question: part of the active object",
    group: "Objects",
    yields: true,
  },
  {
    command: "accept-quadrant",
    keys: ["Shift+Enter"],
    title: "Accept the sure proposals of the active tooth's quadrant",
    group: "Objects",
    yields: true,
  },
  { command: "accept-all", keys: ["Shift+A"], title: "Accept all sure proposals", group: "Objects" },
  {
    command: "shift-mesial",
    keys: ["Shift+M"],
    title: "Number the active tooth and those behind it one further mesially",
    group: "Objects",
  },
  {
    command: "shift-distal",
    keys: ["Shift+D"],
    title: "Number the active tooth and those behind it one further distally",
    group: "Objects",
  },
  {
    command: "next-object",
    keys: ["Tab"],
    title: "Next object; after the last of a round, the next part of the page",
    group: "Objects",
    yields: true,
  },
  { command: "previous-object", keys: ["Shift+Tab"], title: "Previous object", group: "Objects", yields: true },
  { command: "remove", keys: ["Delete", "Backspace"], title: "Delete the active object", group: "Objects" },
  { command: "hide", keys: ["H"], title: "Hide or show the active object", group: "Objects" },
  { command: "show-all", keys: ["Shift+H"], title: "Show all objects", group: "Objects" },
  { command: "lock", keys: ["Y"], title: "Lock or unlock the active object", group: "Objects" },
  {
    command: "cancel",
    keys: ["Escape"],
    title: "Cancel the stroke or the typed digit; no active object",
    group: "Objects",
  },

  {
    command: "peek",
    keys: ["Space"],
    title: "Hold: the bare X-ray; dragging moves it",
    group: "View",
    held: true,
    yields: true,
  },
  { command: "less-fill", keys: [","], title: "Less fill opacity", group: "View" },
  { command: "more-fill", keys: ["."], title: "More fill opacity", group: "View" },
  { command: "less-outline", keys: ["<", ";"], title: "Less outline opacity", group: "View" },
  { command: "more-outline", keys: [">", ":"], title: "More outline opacity", group: "View" },
  { command: "dim", keys: ["D"], title: "Dim all other objects", group: "View" },
  { command: "numbers", keys: ["T"], title: "Tooth numbers on the picture, on or off", group: "View" },
  { command: "fit-window", keys: ["A"], title: "Window that fits the X-ray", group: "View" },
  { command: "invert", keys: ["I"], title: "Invert the X-ray", group: "View" },
  { command: "fit", keys: ["F"], title: "Fit the picture", group: "View" },
  { command: "actual-size", keys: ["Shift+F"], title: "One image pixel on one screen pixel", group: "View" },
  { command: "zoom-in", keys: ["+", "="], title: "Zoom in (also the wheel)", group: "View" },
  { command: "zoom-out", keys: ["-"], title: "Zoom out", group: "View" },

  { command: "next-case", keys: ["PageDown"], title: "Next case", group: "Cases" },
  { command: "previous-case", keys: ["PageUp"], title: "Previous case", group: "Cases" },
  { command: "worklist", keys: ["Q"], title: "Worklist, show or hide", group: "Cases" },
  { command: "panel", keys: ["Shift+Q"], title: "Side panel, show or hide", group: "Cases" },
  { command: "save", keys: ["Ctrl+S"], title: "Send what is unsent now", group: "Cases" },
  { command: "next-region", keys: ["F6"], title: "Focus the next part of the page", group: "Cases" },
  { command: "previous-region", keys: ["Shift+F6"], title: "Focus the previous part of the page", group: "Cases" },
  { command: "help", keys: ["?"], title: "This list, and the tour", group: "Cases" },

  { command: "left", keys: ["ArrowLeft"], title: "Crosshair left", group: "Canvas by keyboard", yields: true },
  { command: "right", keys: ["ArrowRight"], title: "Crosshair right", group: "Canvas by keyboard", yields: true },
  { command: "up", keys: ["ArrowUp"], title: "Crosshair up", group: "Canvas by keyboard", yields: true },
  { command: "down", keys: ["ArrowDown"], title: "Crosshair down", group: "Canvas by keyboard", yields: true },
  {
    command: "far-left",
    keys: ["Shift+ArrowLeft"],
    title: "Crosshair far left",
    group: "Canvas by keyboard",
    yields: true,
  },
  {
    command: "far-right",
    keys: ["Shift+ArrowRight"],
    title: "Crosshair far right",
    group: "Canvas by keyboard",
    yields: true,
  },
  {
    command: "far-up",
    keys: ["Shift+ArrowUp"],
    title: "Crosshair far up",
    group: "Canvas by keyboard",
    yields: true,
  },
  {
    command: "far-down",
    keys: ["Shift+ArrowDown"],
    title: "Crosshair far down",
    group: "Canvas by keyboard",
    yields: true,
  },
  {
    command: "press",
    keys: ["K"],
    title: "Use the tool at the crosshair (held: a stroke)",
    group: "Canvas by keyboard",
    held: true,
  },
  {
    command: "press-negative",
    keys: ["Shift+K"],
    title: "Negative click at the crosshair",
    group: "Canvas by keyboard",
  },
  { command: "close-lasso", keys: ["Ctrl+Enter"], title: "Close the lasso", group: "Canvas by keyboard" },
];

const BY_KEY = new Map(SHORTCUTS.flatMap((shortcut) => shortcut.keys.map((key) => [key, shortcut] as const)));

type KeyPress = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey"> &
  Partial<Pick<KeyboardEvent, "getModifierState">>;

/** A key as the table writes it, such as "Ctrl+Shift+Z" or "?"; null with Alt, which belongs to the browser. */
export function keyName(event: KeyPress): string | null {
  // AltGr is how some layouts type brackets; it reports Ctrl and Alt.
  const altGraph = event.getModifierState?.("AltGraph") ?? false;
  if (event.altKey && !altGraph) return null;
  const ctrl = (event.ctrlKey || event.metaKey) && !altGraph;
  const single = [...event.key].length === 1;
  const letter = single && event.key.toLowerCase() !== event.key.toUpperCase();
  const name = event.key === " " ? "Space" : letter ? event.key.toUpperCase() : event.key;
  // For a sign, Shift is part of typing it and not a modifier.
  const shift = event.shiftKey && (letter || !single);
  return `${ctrl ? "Ctrl+" : ""}${shift ? "Shift+" : ""}${name}`;
}

export function shortcutFor(event: KeyPress): Shortcut | null {
  const name = keyName(event);
  return name === null ? null : (BY_KEY.get(name) ?? null);
}

/** The first key of a command, for tooltips. */
export function keyOf(command: Command): string {
  return SHORTCUTS.find((shortcut) => shortcut.command === command)?.keys[0] ?? "";
}

const TEXT_TYPES = new Set(["text", "search", "number", "email", "password", "url", "tel"]);

export function isTextField(target: EventTarget | null): boolean {
  const element = target as Partial<HTMLInputElement> | null;
  const tag = element?.tagName?.toLowerCase();
  if (tag === "textarea" || tag === "select") return true;
  return (tag === "input" && TEXT_TYPES.has(element?.type ?? "text")) || element?.isContentEditable === true;
}
