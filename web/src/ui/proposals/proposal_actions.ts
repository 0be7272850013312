import type { CaseObject } from "../../engine/editing/case_editor";
import { isUnsure } from "../../engine/editing/proposals";
import { quadrantOf } from "../labels/fdi";
import type { Workbench } from "../state/workbench";
import { nextToReview } from "./review_order";
import { type Direction, type Move, shiftOfRun } from "./run_shift";

/** What the annotator does with proposals and runs of numbers as a whole. Each act is one step of undo. */
export class ProposalActions {
  constructor(
    private readonly bench: Workbench,
    /** Makes an object active and moves it into view. */
    private readonly focus: (id: string) => void,
  ) {}

  /** The next object to accept after one. */
  next(after: string | null): CaseObject | null {
    const { threshold, unsureFirst } = this.bench.preferences.get();
    const { labels, editor } = this.bench;
    return nextToReview(editor?.objects ?? [], after, { threshold, unsureFirst, labels });
  }

  /** Untouched proposals of which the model is as sure as the annotator asks; `quadrant`: only those of one. */
  sure(quadrant: number | null = null): readonly CaseObject[] {
    const { threshold } = this.bench.preferences.get();
    return (this.bench.editor?.objects ?? []).filter(
      (object) =>
        object.proposed &&
        !isUnsure(object, threshold) &&
        (quadrant === null || quadrantOf(object.category) === quadrant),
    );
  }

  acceptQuadrant(): void {
    const quadrant = quadrantOf(this.bench.editor?.active?.category ?? null);
    if (quadrant === null)
      return this.bench.toast("Choose a tooth first: its quadrant is accepted with it.", "warning");
    this.acceptSure(quadrant);
  }

  acceptAll(): void {
    this.acceptSure(null);
  }

  private acceptSure(quadrant: number | null): void {
    const { bench } = this;
    const { editor } = bench;
    if (!editor || bench.state.get().openingId !== null) return;
    const sure = this.sure(quadrant);
    const where = quadrant === null ? "" : ` in quadrant ${quadrant}`;
    const least = `${Math.round(100 * bench.preferences.get().threshold)} %`;
    if (sure.length === 0) return bench.toast(`No proposal${where} has a confidence of ${least} or more.`);
    const active = editor.activeId;
    editor.group(() => {
      for (const { id } of sure) editor.accept(id);
    });
    const left = editor.objects.filter((object) => object.proposed).length;
    bench.toast(`${count(sure.length)}${where} accepted. ${left === 0 ? "None is" : `${left} are`} left.`);
    const next = this.next(active);
    if (next && editor.active?.accepted !== false) this.focus(next.id);
  }

  /** The new numbers when the active tooth and those behind it move by one. */
  shift(direction: Direction): Move[] {
    const { editor, labels } = this.bench;
    if (!editor?.active) return [];
    return shiftOfRun(editor.objects, editor.active, direction, (number) => labels.has(number));
  }

  /** Shifts at once where every tooth gets a number of its own; else the page shows what is against it, and asks. */
  requestShift(direction: Direction): void {
    const { bench } = this;
    const moves = this.shift(direction);
    if (moves.length === 0)
      return bench.toast("Choose the first tooth of the run, by its number; locked teeth keep theirs.", "warning");
    if (moves.some(({ to, onto }) => to === null || onto !== null)) return bench.state.set({ shift: direction });
    this.carryOutShift(direction);
    const renumbered = moves.map(({ from, to }) => `${from} → ${to}`).join(", ");
    bench.toast(`Shifted ${direction}ly: ${renumbered}. Z takes it back.`);
  }

  carryOutShift(direction: Direction): void {
    const { editor } = this.bench;
    const moves = this.shift(direction);
    if (!editor || moves.length === 0) return;
    editor.group(() => {
      for (const { id, to } of moves) editor.relabel(id, to);
    });
  }

  /** Marks a tooth as missing, or takes the mark back. */
  toggleMissing(number: string): void {
    const { editor } = this.bench;
    if (!editor) return;
    const missing = !editor.missing.includes(number);
    editor.setMissing(number, missing);
    if (missing) this.bench.toast(`${number} is marked as missing. Press it again to take that back.`);
  }
}

function count(teeth: number): string {
  return teeth === 1 ? "1 proposal" : `${teeth} proposals`;
}
