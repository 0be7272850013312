import * as client from "../../api/client";
import { ApiError, errorMessage } from "../../api/errors";
import type { CaseSummary, Numbering, Session } from "../../api/types";
import { visible } from "../labels/visible_text";
import { Store } from "../state/store";
import { holdsAnnotations, importedText } from "./annotation_files";

/** What became of a file; its texts are as people read them (`visible`). */
export interface FileUpload {
  key: number;
  name: string;
  state: "waiting" | "sending" | "added" | "known" | "imported" | "asked" | "refused";
  /** Share that was sent, 0 to 1. */
  share: number;
  /** Why it was refused or what is asked, or what was imported. */
  detail: string | null;
  /** What its reader has to say, a line each. */
  notes: readonly string[];
}

/** What was dropped or chosen: a file, or the name of a folder, which cannot be added. */
export type DroppedFile = File | { folder: string };

type Send = Pick<typeof client, "addImage" | "importAnnotations">;
type Rules = Pick<Session, "no_images" | "limits">;

interface Effects {
  /** An image is in the worklist now. */
  added: (one: CaseSummary, known: boolean) => void;
  /** Cases have new objects. */
  imported: () => void;
}

/** Uploads images into the worklist and annotations into its cases, one file after the other. */
export class FileUploads extends Store<{ list: readonly FileUpload[]; dragging: boolean }> {
  private last = 0;
  /** Files whose numbering is asked for, by their keys. */
  private readonly asked = new Map<number, File>();
  private queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly rules: Rules,
    private readonly effects: Effects,
    private readonly send: Send = client,
  ) {
    super({ list: [], dragging: false });
  }

  /** Why no image can be added here; null where one can. Annotations are taken everywhere. */
  get obstacle(): string | null {
    return this.rules.no_images === null ? null : visible(this.rules.no_images);
  }

  add(given: readonly DroppedFile[]): Promise<void> {
    for (const one of given) this.begin(one);
    return this.queue;
  }

  /** Sends a file again whose numbering was asked for. */
  answer(key: number, numbering: Numbering): Promise<void> {
    const file = this.asked.get(key);
    if (!file) return this.queue;
    this.asked.delete(key);
    this.change(key, { state: "waiting", share: 0, detail: null });
    this.queue = this.queue.then(() => this.bring(key, file, numbering));
    return this.queue;
  }

  clear(): void {
    this.asked.clear();
    this.set({ list: this.get().list.filter(({ state }) => state === "waiting" || state === "sending") });
  }

  private begin(one: DroppedFile): void {
    const key = ++this.last;
    const name = visible("folder" in one ? one.folder : one.name);
    const refusal = this.refusal(one);
    const state = refusal === null ? "waiting" : "refused";
    this.set({ list: [...this.get().list, { key, name, state, share: 0, detail: refusal, notes: [] }] });
    if (refusal === null) this.queue = this.queue.then(() => this.bring(key, one as File));
  }

  private refusal(one: DroppedFile): string | null {
    if ("folder" in one) return "is a folder: open it and drop the files in it, or drop it as a ZIP";
    const { image_bytes } = this.rules.limits;
    return one.size > image_bytes ? `has more than ${Math.floor(image_bytes / 2 ** 20)} MB` : null;
  }

  private async bring(key: number, file: File, numbering?: Numbering): Promise<void> {
    const sent = (share: number) => this.change(key, { share });
    try {
      const annotations = await holdsAnnotations(file);
      if (!annotations && this.obstacle !== null) {
        this.change(key, { state: "refused", detail: visible(this.obstacle) });
        return;
      }
      this.change(key, { state: "sending" });
      if (annotations) {
        const found = await this.send.importAnnotations(file, sent, numbering);
        this.change(key, {
          state: "imported",
          share: 1,
          detail: visible(importedText(found)),
          notes: found.notes.map(visible),
        });
        if (found.objects) this.effects.imported();
        return;
      }
      const { case: one, known } = await this.send.addImage(file, sent);
      this.change(key, { state: known ? "known" : "added", share: 1 });
      this.effects.added(one, known);
    } catch (error) {
      const asks = error instanceof ApiError && error.asks === "numbering";
      if (asks) this.asked.set(key, file);
      this.change(key, { state: asks ? "asked" : "refused", detail: visible(errorMessage(error)) });
    }
  }

  private change(key: number, change: Partial<FileUpload>): void {
    this.set({ list: this.get().list.map((one) => (one.key === key ? { ...one, ...change } : one)) });
  }
}

/** The files of a drop. To be read at once: after the event the data is empty. */
export function dropped(data: DataTransfer): DroppedFile[] {
  const found: DroppedFile[] = [];
  for (const item of data.items) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry?.();
    const file = item.getAsFile();
    if (entry?.isDirectory) found.push({ folder: entry.name });
    else if (file) found.push(file);
  }
  return found;
}
