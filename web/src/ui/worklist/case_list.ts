import * as client from "../../api/client";
import type { CaseSummary, Progress } from "../../api/types";
import { Store } from "../state/store";

/** While images are encoded, a list of so many cases is read again once a second at most, a longer one less often. */
const CASES_PER_SECOND = 1000;

interface Listed {
  cases: readonly CaseSummary[];
  /** How many images the model has encoded ahead; null until the server reported it. */
  progress: Progress | null;
  /** The picture in the file of each case that was on the screen, as the server saw it last. */
  pictures: ReadonlyMap<number, string>;
}

/** The cases of the workspace as the server reported them last, with what this page knows better. */
export class CaseList extends Store<Listed> {
  /** What the server had reported when the cases were read again last. */
  private read: { encoded: number; worklist: number; at: number } | null = null;

  constructor(cases: readonly CaseSummary[]) {
    super({ cases, progress: null, pictures: new Map() });
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

  /** Notes which picture the file of a case holds now. */
  holds(id: number, picture: string): void {
    const { pictures } = this.get();
    if (pictures.get(id) !== picture) this.set({ pictures: new Map(pictures).set(id, picture) });
  }

  /** Adds a case, or replaces it. */
  put(one: CaseSummary): void {
    const { cases } = this.get();
    const others = cases.filter(({ id }) => id !== one.id);
    this.set({ cases: [...others, one] });
  }

  /** Takes the server's report of its progress. `open` gives the case on the screen. */
  async take(progress: Progress, open: () => number | null): Promise<void> {
    this.set({ progress });
    const known = this.read;
    if (progress.encoded === known?.encoded && progress.worklist === known.worklist) return;
    const wait = (1000 * this.get().cases.length) / CASES_PER_SECOND;
    const all = progress.encoded + progress.failed.length >= progress.total;
    if (known && progress.worklist === known.worklist && !all && performance.now() - known.at < wait) return;
    this.read = { encoded: progress.encoded, worklist: progress.worklist, at: performance.now() };
    await this.reread(open);
  }

  /** Reads the cases again, without overwriting what this page knows better of the open one. */
  async reread(open: () => number | null): Promise<void> {
    const cases = await client.cases();
    const shown = this.find(open());
    const known = new Map(this.get().cases.map((one) => [one.id, one]));
    this.set({
      cases: cases.map((one) => {
        const better =
          one.id === shown?.id
            ? {
                ...one,
                status: shown.status,
                objects: shown.objects,
                proposed: shown.proposed,
                comments: shown.comments,
              }
            : one;
        // An unchanged case stays the same object, so that its row is not rendered again.
        const before = known.get(one.id);
        return before && same(before, better) ? before : better;
      }),
    });
  }
}

function same(a: CaseSummary, b: CaseSummary): boolean {
  return (Object.keys(b) as (keyof CaseSummary)[]).every((key) => a[key] === b[key]);
}
