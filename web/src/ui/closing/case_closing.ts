import type { CaseStatus } from "../../api/types";
import { bringIntoSight } from "../state/visibility";
import type { Workbench } from "../state/workbench";
import type { ClosedCase } from "../state/workbench_state";
import { casesLeft, leftText, nextUnfinished } from "../worklist/case_order";
import { reasonsAgainst } from "./closing_checks";

/** For so long after an acceptance or another Enter, Enter does not close a case: it may be the same press. */
const PAUSE_MS = 500;

/** Closes a case, and reopens it. */
export class CaseClosing {
  private pressed = -Infinity;
  private hint = 0;

  constructor(private readonly bench: Workbench) {
    let shown = bench.state.get().caseId;
    bench.state.subscribe(() => {
      const { caseId } = bench.state.get();
      if (caseId === shown) return;
      shown = caseId;
      this.pressed = performance.now();
      bench.state.set({ closingQuestion: null });
    });
  }

  /** The last object was accepted. */
  acceptedAll(): void {
    this.pressed = performance.now();
    this.hint = this.bench.toasts.show("All objects are accepted. Enter closes the case.");
  }

  acceptedOne(): void {
    this.pressed = performance.now();
  }

  /** Enter, with nothing left to accept. A key that repeats closes nothing: it only extends the pause. */
  enter(): void {
    const now = performance.now();
    const early = now - this.pressed < PAUSE_MS;
    this.pressed = now;
    this.done(true, early);
  }

  /** Closes the case, after a question where there are reasons against it. `opensNext`: and opens the next one. */
  done(opensNext: boolean, early = false): void {
    const { bench } = this;
    const { editor, labels } = bench;
    const { openingId, requestsUnderway } = bench.state.get();
    if (!editor || openingId !== null) return;
    if (editor.status === "done" || editor.status === "approved") {
      if (opensNext && !early) this.goOn();
      return;
    }
    if (requestsUnderway > 0) {
      bench.toast("The model is still working on this case. Close it when the answer is there.", "warning");
      return;
    }
    editor.endStroke();
    const reasons = reasonsAgainst(editor.objects, labels, bench.preferences.get().askFew);
    if (reasons.length > 0) bench.state.set({ closingQuestion: { reasons, opensNext } });
    else if (!early) this.close(opensNext);
  }

  /** Sets the status chosen from the list. */
  setStatus(status: CaseStatus): void {
    if (status === "done") this.done(false);
    else this.bench.editor?.setStatus(status);
  }

  /** Closes the case whatever the reasons against it. */
  close(opensNext: boolean): void {
    const { bench } = this;
    const { editor, summary } = bench;
    bench.state.set({ closingQuestion: null });
    if (!editor || !summary) return;
    const before = editor.status;
    editor.setStatus("done");
    bench.toasts.dismiss(this.hint);
    const next = opensNext ? this.following() : null;
    const left = opensNext ? ` ${leftText(casesLeft(bench.cases.get().cases, summary.id), next !== null)}` : "";
    const undo = { label: "Undo", run: () => void this.reopen(closed) };
    const toast = bench.toasts.show(`${summary.name} is done.${left}`, "note", undo);
    const closed: ClosedCase = {
      id: summary.id,
      name: summary.name,
      before,
      steps: editor.undoSteps,
      toast,
      next: null,
    };
    bench.state.set({ closedCase: closed });
    if (next !== null) void this.openNext(next, closed);
  }

  /** Undoes the last step of the open case, or the closing of the case before, as long as nothing was done since. */
  undo(): void {
    const { closedCase: closed } = this.bench.state.get();
    if (closed && this.isLastStep(closed)) void this.reopen(closed);
    else this.undoStep();
  }

  private undoStep(): void {
    bringIntoSight(this.bench, null);
    this.bench.editor?.undo();
  }

  get canUndo(): boolean {
    const { closedCase: closed } = this.bench.state.get();
    return (closed !== null && this.isLastStep(closed)) || (this.bench.editor?.canUndo ?? false);
  }

  /** Opens a closed case again. */
  async reopen(closed: ClosedCase): Promise<void> {
    const { bench } = this;
    bench.state.set({ closedCase: null, closingQuestion: null });
    bench.toasts.dismiss(closed.toast);
    if (bench.state.get().caseId === closed.id) bench.stay();
    else await bench.openCase(closed.id);
    const { editor } = bench;
    if (!editor || bench.state.get().caseId !== closed.id || editor.status !== "done") return;
    // Its history is there unless somebody else worked on it in the meantime.
    if (editor.undoSteps !== closed.steps || !editor.undo()) editor.setStatus(closed.before);
    bench.toast(`${closed.name} is not done any more.`);
  }

  private isLastStep(closed: ClosedCase): boolean {
    const { editor } = this.bench;
    const { caseId, openingId } = this.bench.state.get();
    if (caseId === closed.id)
      return openingId !== null || (editor?.status === "done" && editor.undoSteps === closed.steps);
    return (
      closed.next !== null &&
      editor === closed.next.editor &&
      editor.undoSteps === closed.next.steps &&
      !editor.stroking
    );
  }

  private following(): number | null {
    const { cases, view, summary } = this.bench;
    return summary ? (nextUnfinished(cases.get().cases, view, summary)?.id ?? null) : null;
  }

  /** Opens the next unfinished case; where there is none, shows a message. */
  private goOn(): void {
    const { bench } = this;
    const next = this.following();
    if (next !== null) void bench.openCase(next);
    else if (bench.summary) bench.toast(leftText(casesLeft(bench.cases.get().cases, bench.summary.id), false));
  }

  private async openNext(id: number, closed: ClosedCase): Promise<void> {
    const { bench } = this;
    await bench.openCase(id);
    const { editor } = bench;
    if (bench.state.get().closedCase !== closed || bench.state.get().caseId !== id || !editor) return;
    bench.state.set({ closedCase: { ...closed, next: { editor, steps: editor.undoSteps } } });
  }
}
