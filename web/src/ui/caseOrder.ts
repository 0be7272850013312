import type { CaseStatus, CaseSummary } from "../api/types";

export interface WorklistView {
  status: CaseStatus | "all";
  text: string;
  sort: "name" | "uncertainty";
}

const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** The cases in the order in which they are worked through. */
export function arranged(cases: readonly CaseSummary[], { status, text, sort }: WorklistView): CaseSummary[] {
  const wanted = text.trim().toLowerCase();
  return cases
    .filter((one) => (status === "all" || one.status === status) && one.name.toLowerCase().includes(wanted))
    .sort((a, b) => {
      // The most uncertain first; cases the model has not seen yet come last.
      const order = sort === "uncertainty" ? (b.uncertainty ?? -1) - (a.uncertainty ?? -1) : 0;
      return order || byName.compare(a.name, b.name) || a.id - b.id;
    });
}

/** The case `step` places on in the worklist; where the open case is filtered out, from where it would stand. */
export function caseAfter(cases: readonly CaseSummary[], view: WorklistView, open: CaseSummary, step: 1 | -1): CaseSummary | null {
  const shown = arranged(cases, view);
  const at = shown.findIndex((one) => one.id === open.id);
  if (at >= 0) return shown[at + step] ?? null;
  const all = arranged(cases, { ...view, status: "all", text: "" });
  const place = all.findIndex((one) => one.id === open.id);
  const ids = new Set(shown.map((one) => one.id));
  const rest = step === 1 ? all.slice(place + 1) : all.slice(0, Math.max(0, place)).reverse();
  return rest.find((one) => ids.has(one.id)) ?? null;
}
