import { visible } from "../labels/visible_text";
import { Store } from "./store";

export interface Toast {
  id: number;
  kind: "note" | "warning" | "error";
  text: string;
  /** What can be done about it, as a button. */
  action?: ToastAction;
}

export interface ToastAction {
  label: string;
  run: () => void;
}

const ACTION_MS = 12_000;
const SHOWN_MS = { note: 3000, warning: 6000, error: 10_000 };
const MAX_TOASTS = 4;

/** Short messages, which disappear by themselves. */
export class ToastList extends Store<{ list: readonly Toast[] }> {
  private last = 0;

  constructor() {
    super({ list: [] });
  }

  /** Shows a message, in place of one with the same text. Returns its id for `dismiss`. */
  show(message: string, kind: Toast["kind"] = "note", action?: ToastAction): number {
    const text = visible(message);
    const id = ++this.last;
    const others = this.get().list.filter((toast) => toast.text !== text);
    this.set({ list: [...others, { id, kind, text, action }].slice(-MAX_TOASTS) });
    setTimeout(() => this.dismiss(id), action ? ACTION_MS : SHOWN_MS[kind]);
    return id;
  }

  dismiss(id: number): void {
    this.set({ list: this.get().list.filter((toast) => toast.id !== id) });
  }
}
