import type { CaseStatus } from "../api/types";
import type { CaseEditor } from "../engine/editor";
import { casesLeft, leftText, nextUnfinished } from "./caseOrder";
import { reasonsAgainst } from "./closing";
import type { Workbench } from "./workbench";

/** After an acceptance or another Enter, Enter does not close a case for so long: it may be the same press. */
const PAUSE_MS = 500;

/** A case that was set to done a moment ago. */
export interface ClosedCase {
  id: number;
  name: string;
  before: CaseStatus;
  /** Steps of its history, the last of which closed it. */
  steps: number;
  /** The message that offers to take it back. */
  toast: number;
  /** The case that opened after it, as it was then. */
  next: { editor: CaseEditor; steps: number } | null;
}

/** How a case is closed, and opened again. */
export class Finishing {
  private pressed = -Infinity;
  private hint = 0;

  constructor(private readonly bench: Workbench) {
    let shown = bench.state.get().caseId;
    bench.state.subscribe(() => {
      const { caseId } = bench.state.get();
      if (caseId === shown) return;
      shown = caseId;
      this.pressed = performance.now();
      bench.state.set({ closing: null });
    });
  }

  /** The last object was accepted. */
  acceptedAll(): void {
    this.pressed = performance.now();
    this.hint = this.bench.toasts.say("All objects are accepted. Enter closes the case.");
  }

  acceptedOne(): void {
    this.pressed = performance.now();
  }

  /** Enter, with nothing left to accept. Closes nothing unseen: a key that bounces only lengthens the pause. */
  enter(): void {
    const now = performance.now();
    const early = now - this.pressed < PAUSE_MS;
    this.pressed = now;
    this.done(true, early);
  }

  /** Closes the case, after a question where something speaks against it. `onward`: and opens the next. */
  done(onward: boolean, early = false): void {
    const { bench } = this;
    const { editor, labels } = bench;
    const { openingId, asking } = bench.state.get();
    if (!editor || openingId !== null) return;
    if (editor.status === "done" || editor.status === "approved") {
      if (onward && !early) this.goOn();
      return;
    }
    if (asking > 0) {
      bench.say("The model is still working on this case. Close it when the answer is there.", "warning");
      return;
    }
    editor.endStroke();
    const reasons = reasonsAgainst(editor.objects, labels, bench.preferences.get().askFew);
    if (reasons.length > 0) bench.state.set({ closing: { reasons, onward } });
    else if (!early) this.close(onward);
  }

  /** What was chosen from the list of statuses. */
  setStatus(status: CaseStatus): void {
    if (status === "done") this.done(false);
    else this.bench.editor?.setStatus(status);
  }

  /** The answer to the question: closed all the same. */
  close(onward: boolean): void {
    const { bench } = this;
    const { editor, summary } = bench;
    bench.state.set({ closing: null });
    if (!editor || !summary) return;
    const before = editor.status;
    editor.setStatus("done");
    bench.toasts.unsay(this.hint);
    const next = onward ? this.following() : null;
    const left = onward ? ` ${leftText(casesLeft(bench.cases.get().cases, summary.id), next !== null)}` : "";
    const undo = { label: "Undo", run: () => void this.reopen(closed) };
    const toast = bench.toasts.say(`${summary.name} is done.${left}`, "note", undo);
    const closed: ClosedCase = { id: summary.id, name: summary.name, before, steps: editor.undoSteps, toast, next: null };
    bench.state.set({ closed });
    if (next !== null) void this.openNext(next, closed);
  }

  /** Z and its button: the last step of the open case, or the closing of the one before, as long as nothing was done since. */
  undo(): void {
    const { closed } = this.bench.state.get();
    if (closed && this.isLastStep(closed)) void this.reopen(closed);
    else this.bench.undo();
  }

  get canUndo(): boolean {
    const { closed } = this.bench.state.get();
    return (closed !== null && this.isLastStep(closed)) || (this.bench.editor?.canUndo ?? false);
  }

  /** Opens a closed case again. */
  async reopen(closed: ClosedCase): Promise<void> {
    const { bench } = this;
    bench.state.set({ closed: null, closing: null });
    bench.toasts.unsay(closed.toast);
    if (bench.state.get().caseId === closed.id) bench.stay();
    else await bench.openCase(closed.id);
    const { editor } = bench;
    if (!editor || bench.state.get().caseId !== closed.id || editor.status !== "done") return;
    // Its history is there unless somebody else worked on it in the meantime.
    if (editor.undoSteps !== closed.steps || !editor.undo()) editor.setStatus(closed.before);
    bench.say(`${closed.name} is not done any more.`);
  }

  private isLastStep(closed: ClosedCase): boolean {
    const { editor } = this.bench;
    const { caseId, openingId } = this.bench.state.get();
    if (caseId === closed.id) return openingId !== null || (editor?.status === "done" && editor.undoSteps === closed.steps);
    return closed.next !== null && editor === closed.next.editor && editor.undoSteps === closed.next.steps && !editor.stroking;
  }

  private following(): number | null {
    const { cases, view, summary } = this.bench;
    return summary ? (nextUnfinished(cases.get().cases, view, summary)?.id ?? null) : null;
  }

  /** From a finished case to the next that is not; without one it says what is left. */
  private goOn(): void {
    const { bench } = this;
    const next = this.following();
    if (next !== null) void bench.openCase(next);
    else if (bench.summary) bench.say(leftText(casesLeft(bench.cases.get().cases, bench.summary.id), false));
  }

  private async openNext(id: number, closed: ClosedCase): Promise<void> {
    const { bench } = this;
    await bench.openCase(id);
    const { editor } = bench;
    if (bench.state.get().closed !== closed || bench.state.get().caseId !== id || !editor) return;
    bench.state.set({ closed: { ...closed, next: { editor, steps: editor.undoSteps } } });
  }
}
