import * as client from "../api/client";
import type { CaseSummary, Progress } from "../api/types";
import { Store } from "./store";

const PROGRESS_MS = 2000;

interface Listed {
  cases: readonly CaseSummary[];
  /** How far the model has read ahead; null until the server said so. */
  progress: Progress | null;
}

/** The cases of the workspace as the server told of them last, and as this page knows better. */
export class CaseList extends Store<Listed> {
  constructor(cases: readonly CaseSummary[]) {
    super({ cases, progress: null });
  }

  find(id: number | null): CaseSummary | null {
    return this.get().cases.find((one) => one.id === id) ?? null;
  }

  /** Where to begin: what is in progress, else what is new. */
  first(): CaseSummary | undefined {
    const { cases } = this.get();
    return cases.find((one) => one.status === "in-progress") ?? cases.find((one) => one.status === "new") ?? cases[0];
  }

  update(id: number, change: Partial<CaseSummary>): void {
    const one = this.find(id);
    if (!one || Object.entries(change).every(([key, value]) => one[key as keyof CaseSummary] === value)) return;
    this.set({ cases: this.get().cases.map((summary) => (summary.id === id ? { ...summary, ...change } : summary)) });
  }

  /** Looks how far the model has read until it has read all. `open` names the case on the screen. */
  watchProgress(open: () => number | null): void {
    let known = -1;
    const look = async () => {
      try {
        const progress = await client.progress();
        this.set({ progress });
        if (progress.encoded !== known) await this.refresh(open);
        known = progress.encoded;
        if (progress.encoded + progress.failed.length >= progress.total) return;
      } catch {
        // The save state tells of a server that is away.
      }
      setTimeout(() => void look(), PROGRESS_MS);
    };
    void look();
  }

  /** What the server knows of the cases, without overwriting what this page knows better of the open one. */
  private async refresh(open: () => number | null): Promise<void> {
    const cases = await client.cases();
    const shown = this.find(open());
    this.set({
      cases: cases.map((one) =>
        one.id === shown?.id ? { ...one, status: shown.status, objects: shown.objects, comments: shown.comments } : one,
      ),
    });
  }
}
