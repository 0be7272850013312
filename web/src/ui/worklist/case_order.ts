import type { CaseStatus, CaseSummary } from "../../api/types";
import { visible } from "../labels/visible_text";

/** Which cases the worklist shows: all, those with a status, or those that are damaged in the database. */
export type Shown = CaseStatus | "all" | "damaged";

export interface WorklistView {
  status: Shown;
  text: string;
  sort: "name" | "uncertainty";
}

const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** The cases in the order in which they are worked through. */
export function arranged(cases: readonly CaseSummary[], { status, text, sort }: WorklistView): CaseSummary[] {
  const wanted = text.trim().toLowerCase();
  return cases
    .filter((one) => isShown(one, status) && isNamed(one, wanted))
    .sort((a, b) => {
      // The most uncertain first; cases the model has not seen yet come last.
      const order = sort === "uncertainty" ? (b.uncertainty ?? -1) - (a.uncertainty ?? -1) : 0;
      return order || byName.compare(a.name, b.name) || a.id - b.id;
    });
}

function isShown(one: CaseSummary, shown: Shown): boolean {
  return shown === "all" || (shown === "damaged" ? one.damaged : one.status === shown);
}

/** Whether a name holds a text (in small letters), as it is or as the list shows it. */
function isNamed({ name }: CaseSummary, wanted: string): boolean {
  return (
    name.toLowerCase().includes(wanted) || (wanted.includes("\\") && visible(name).toLowerCase().includes(wanted))
  );
}

/** The next (1) or previous (-1) case of the worklist; a filtered-out open case counts from where it would be. */
export function caseAfter(
  cases: readonly CaseSummary[],
  view: WorklistView,
  open: CaseSummary,
  step: 1 | -1,
): CaseSummary | null {
  const shown = arranged(cases, view);
  const at = shown.findIndex((one) => one.id === open.id);
  if (at >= 0) return shown[at + step] ?? null;
  const all = arranged(cases, { ...view, status: "all", text: "" });
  const place = all.findIndex((one) => one.id === open.id);
  const ids = new Set(shown.map((one) => one.id));
  const rest = step === 1 ? all.slice(place + 1) : all.slice(0, Math.max(0, place)).reverse();
  return rest.find((one) => ids.has(one.id)) ?? null;
}

/** Whether a case is still to be labelled; one that needs review only while the worklist shows those. */
function isLeft({ status }: CaseSummary, view: WorklistView): boolean {
  return (
    status === "new" || status === "in-progress" || (status === "needs-review" && view.status === "needs-review")
  );
}

/** The case to label after the open one in the order of the worklist, from its end on from its beginning; null where none is left. */
export function nextUnfinished(
  cases: readonly CaseSummary[],
  view: WorklistView,
  open: CaseSummary,
): CaseSummary | null {
  const all = arranged(cases, { ...view, status: "all", text: "" });
  const place = all.findIndex((one) => one.id === open.id);
  const shown = new Set(arranged(cases, view).map((one) => one.id));
  const opensNext = [...all.slice(place + 1), ...all.slice(0, Math.max(0, place))];
  return opensNext.find((one) => shown.has(one.id) && isLeft(one, view)) ?? null;
}

export interface Left {
  /** Cases that are new or in progress. */
  unfinished: number;
  review: number;
  total: number;
}

/** How many cases are left to label, not counting the closed one. */
export function casesLeft(cases: readonly CaseSummary[], closed: number): Left {
  const others = cases.filter((one) => one.id !== closed);
  return {
    unfinished: others.filter(({ status }) => status === "new" || status === "in-progress").length,
    review: others.filter(({ status }) => status === "needs-review").length,
    total: cases.length,
  };
}

/** The message about the remaining cases when one is closed; `opensNext`: whether another one opens. */
export function leftText({ unfinished, review, total }: Left, opensNext: boolean): string {
  const waiting = review === 0 ? "" : ` ${review} ${review === 1 ? "needs" : "need"} review.`;
  if (unfinished === 0)
    return review === 0 ? `All ${total} cases are finished.` : `No case is left to label.${waiting}`;
  const left = `${unfinished} ${unfinished === 1 ? "case is" : "cases are"} left`;
  return opensNext ? `${left}.` : `${left}, but none among those that the worklist shows.`;
}
