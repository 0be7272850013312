import * as client from "../../api/client";
import type { CaseDocument, CaseImage } from "../../api/types";
import type { CaseEditor } from "../../engine/editing/case_editor";

export interface ReadCase {
  document: CaseDocument;
  revision: number;
  image: CaseImage;
}

/** A case that was on the screen: its editor keeps the undo history. */
export interface KeptCase extends ReadCase {
  editor: CaseEditor;
  window: { low: number; high: number };
}

const MAX_KEPT = 3;
const MAX_PREFETCHED = 3;

/** Cases in memory: those just left, and those likely to be opened next. */
export class CaseCache {
  private readonly kept = new Map<number, KeptCase>();
  private readonly coming = new Map<number, Promise<ReadCase>>();

  keep(one: KeptCase): void {
    const { id } = one.document.case;
    this.kept.delete(id);
    this.kept.set(id, one);
    for (const old of [...this.kept.keys()].slice(0, -MAX_KEPT)) this.kept.delete(old);
  }

  takeKept(id: number): KeptCase | undefined {
    const found = this.kept.get(id);
    this.kept.delete(id);
    return found;
  }

  prefetch(id: number): void {
    if (this.kept.has(id) || this.coming.has(id)) return;
    const reading = read(id);
    this.coming.set(id, reading);
    reading.catch(() => this.coming.delete(id));
    for (const old of [...this.coming.keys()].slice(0, -MAX_PREFETCHED)) this.coming.delete(old);
  }

  /** The case as of `revision` or later, from the prefetched one where it is recent enough. */
  async take(id: number, revision: number): Promise<ReadCase> {
    const coming = this.coming.get(id);
    this.coming.delete(id);
    if (!coming) return read(id);
    const found = await coming;
    if (found.revision >= revision) return found;
    return { ...(await client.readCase(id)), image: found.image };
  }
}

async function read(id: number): Promise<ReadCase> {
  const [state, image] = await Promise.all([client.readCase(id), client.pixels(id)]);
  return { ...state, image };
}
