import { Store } from "./store";

export interface Toast {
  id: number;
  kind: "note" | "warning" | "error";
  text: string;
}

const SHOWN_MS = { note: 3000, warning: 6000, error: 10_000 };
const MOST = 4;

/** Short messages, which go by themselves. */
export class ToastList extends Store<{ list: readonly Toast[] }> {
  private last = 0;

  constructor() {
    super({ list: [] });
  }

  say(text: string, kind: Toast["kind"] = "note"): void {
    const id = ++this.last;
    const others = this.get().list.filter((toast) => toast.text !== text);
    this.set({ list: [...others, { id, kind, text }].slice(-MOST) });
    setTimeout(() => this.unsay(id), SHOWN_MS[kind]);
  }

  unsay(id: number): void {
    this.set({ list: this.get().list.filter((toast) => toast.id !== id) });
  }
}
