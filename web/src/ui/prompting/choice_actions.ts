import type { CaseObject, MaskChoices } from "../../engine/editing/case_editor";
import { bringIntoSight } from "../state/visibility";
import type { Workbench } from "../state/workbench";

/** What the active object's first click may mean, while that can still be chosen. */
export function openChoices(bench: Workbench): { object: CaseObject; choices: MaskChoices } | null {
  const object = bench.editor?.active ?? null;
  if (!object?.choices || object.accepted || object.locked) return null;
  // The next click is under way.
  if (bench.modelRequests?.isAsked(object.id)) return null;
  return { object, choices: object.choices };
}

/** Gives the active object another of its choices, without asking the model. */
export function choose(bench: Workbench, index: number): void {
  const open = openChoices(bench);
  if (!open) return;
  bringIntoSight(bench);
  bench.editor?.choose(open.object.id, index);
}

/** The next smaller choice; after the smallest, the largest again. */
export function chooseNext(bench: Workbench): void {
  const open = openChoices(bench);
  if (open) choose(bench, (open.choices.taken + 1) % open.choices.offered.length);
  else bench.toast("Nothing to choose: the model offers whole and part after the first click of an object.");
}
