import type { CaseEditor, CaseObject } from "../../engine/editing/case_editor";
import type { BoxPrompt } from "../../engine/operations";
import { CaseClosing } from "../closing/case_closing";
import { isTooth, typeDigit } from "../labels/fdi";
import { inChartOrder } from "../labels/object_order";
import { toothOf } from "../labels/parent_tooth";
import { PromptActions } from "../prompting/prompt_actions";
import { ProposalActions } from "../proposals/proposal_actions";
import { bringIntoSight } from "./visibility";
import type { Workbench } from "./workbench";

const DIGIT_MS = 3000;

/** What the annotator does with the objects of the open case. */
export class AnnotationActions {
  private digitTimer: ReturnType<typeof setTimeout> | null = null;
  private readonly prompts: PromptActions;

  readonly caseClosing: CaseClosing;
  readonly proposals: ProposalActions;

  constructor(private readonly bench: Workbench) {
    this.prompts = new PromptActions(bench);
    this.caseClosing = new CaseClosing(bench);
    this.proposals = new ProposalActions(bench, (id) => this.focus(id));
  }

  get active(): CaseObject | null {
    return this.bench.editor?.active ?? null;
  }

  /** In the order of the list, which the keys follow. */
  private get listed(): readonly CaseObject[] {
    return inChartOrder(this.bench.editor?.objects ?? [], this.bench.labels);
  }

  click(x: number, y: number, positive: boolean): void {
    this.prompts.click(x, y, positive);
  }

  box(box: BoxPrompt): void {
    this.prompts.box(box);
  }

  /** Answers the question whether a click is for the active object or another one; false where nothing was asked. */
  answer(choice: "same" | "new"): boolean {
    return this.prompts.answer(choice);
  }

  /** Creates an object for a stroke or lasso that adds pixels, where none is active. */
  ensureObject(): boolean {
    const { editor, state } = this.bench;
    const { tool } = state.get();
    if (!editor || (tool !== "brush" && tool !== "lasso-add")) return false;
    editor.create({ source: "manual" });
    return true;
  }

  /** The next click (or the click in question) begins a new object; with the current tool if `keepTool`. */
  begin(keepTool = false): void {
    if (this.prompts.answer("new")) return;
    this.bench.editor?.setActive(null);
    if (!keepTool) this.bench.setTool("click");
    this.bench.state.set({ newObjectRequested: true });
  }

  refine(): void {
    const { active } = this;
    if (!active) return this.bench.toast("No object is active.", "warning");
    if (active.locked) return this.bench.toast("The active object is locked.", "warning");
    bringIntoSight(this.bench);
    this.reveal(active.id);
    if (this.bench.modelRequests?.refine(active) === false) {
      this.bench.toast("Nothing to refine: paint or erase first.", "warning");
    }
  }

  strokeEnded(object: string): void {
    const { editor, preferences, modelRequests } = this.bench;
    if (!preferences.get().autoRefine) return;
    const painted = editor?.object(object);
    if (painted && painted.area > 0) void modelRequests?.refine(painted);
  }

  assign(category: string | null, id = this.bench.editor?.activeId ?? null): void {
    const { editor, labels } = this.bench;
    if (!editor || id === null)
      return this.bench.toast("No object is active: choose one, then its class.", "warning");
    if (category !== null && !labels.has(category)) {
      return this.bench.toast(`${category} is not in this workspace's label schema.`, "warning");
    }
    if (editor.object(id)?.locked) return this.bench.toast("The object is locked.", "warning");
    if (editor.object(id)?.hidden) bringIntoSight(this.bench, id);
    this.relabel(editor, id, category);
    if (category === null || !isTooth(category)) return;
    const users = editor.objects.filter((object) => object.category === category).length;
    if (users > 1)
      this.bench.toast(`Tooth ${category} is now used ${users === 2 ? "twice" : `${users} times`}.`, "warning");
  }

  /**
   * With its label, a restoration or lesion becomes the part that its first click may mean, and gets the tooth that it lies in; a tooth
   * has no parent.
   */
  private relabel(editor: CaseEditor, id: string, category: string | null): void {
    const label = category === null ? undefined : this.bench.labels.get(category);
    const kind = label?.kind;
    editor.group(() => {
      editor.relabel(id, category);
      const object = editor.object(id);
      if (object === undefined) return;
      if (kind === "tooth") editor.setParent(id, null);
      const isPart = kind === "restoration" || kind === "lesion";
      // As `prefers_part` of labelling/workspace/label_schema.py.
      if (!object.accepted && (label?.prefers ?? (isPart ? "part" : "whole")) === "part") editor.preferPart(id);
      if (!isPart) return;
      if (object.parent === null) editor.setParent(id, toothOf(editor, object, this.bench.labels));
    });
  }

  typeDigit(digit: string): void {
    const first = this.bench.state.get().typedDigit;
    if (!this.active) return this.bench.toast("No object is active: choose one, then type its number.", "warning");
    const typed = typeDigit(first, digit);
    this.setDigit(typed.kind === "waiting" ? typed.first : null);
    if (typed.kind === "tooth") this.assign(typed.number);
    if (typed.kind === "wrong") this.bench.toast(`There is no tooth ${typed.text}.`, "warning");
  }

  private setDigit(digit: string | null): void {
    if (this.digitTimer !== null) clearTimeout(this.digitTimer);
    this.digitTimer = digit === null ? null : setTimeout(() => this.setDigit(null), DIGIT_MS);
    this.bench.state.set({ typedDigit: digit });
  }

  /** Cancels whatever is half done; with nothing half done, deactivates the object. */
  cancel(): void {
    const { editor, state } = this.bench;
    if (state.get().typedDigit !== null) return this.setDigit(null);
    if (state.get().question !== null) return state.set({ question: null });
    state.set({ newObjectRequested: false });
    const stroking = editor?.stroking ?? false;
    // This also cancels a box or lasso under way.
    this.bench.stage?.cancel();
    if (!stroking) editor?.setActive(null);
  }

  redo(): void {
    bringIntoSight(this.bench, null);
    this.bench.editor?.redo();
  }

  /**
   * Accepts the active object, with the number that is offered where it has none, and goes to the next one that is not
   * accepted; when all are, the case is closed.
   */
  accept(): void {
    const { editor, state } = this.bench;
    if (!editor || state.get().openingId !== null) return;
    const { active } = editor;
    if (active && !active.accepted) {
      if (active.area === 0) return this.bench.toast("The active object is empty: paint it or delete it.", "warning");
      // A hidden object is shown first; the next press accepts it.
      if (bringIntoSight(this.bench)) return;
      const number = active.category === null ? this.offerOf(active) : null;
      editor.group(() => {
        if (number !== null) this.assign(number);
        editor.accept(active.id, true);
      });
      const next = this.proposals.next(active.id);
      if (!next) return this.caseClosing.acceptedAll();
      this.caseClosing.acceptedOne();
      return this.focus(next.id);
    }
    const next = this.proposals.next(active?.id ?? null);
    if (next) return this.focus(next.id);
    this.caseClosing.enter();
  }

  toggleAccepted(id: string): void {
    const { editor } = this.bench;
    const object = editor?.object(id);
    if (object) editor?.accept(id, !object.accepted);
  }

  /** The number that the model offers for an object without a label. */
  offerOf({ id, category }: CaseObject): string | null {
    const best = category === null ? this.bench.state.get().offers.get(id)?.[0] : undefined;
    return best !== undefined && this.bench.labels.has(best.number) ? best.number : null;
  }

  cycle(step: 1 | -1): void {
    const objects = this.listed;
    const count = objects.length;
    const { active } = this;
    const at = active === null ? -1 : objects.indexOf(active);
    const next = objects[at < 0 ? (step === 1 ? 0 : count - 1) : (at + step + count) % count];
    if (next !== undefined) this.focus(next.id);
  }

  /** Makes an object active and moves it into view. */
  focus(id: string): void {
    this.bench.editor?.setActive(id);
    this.reveal(id);
  }

  /** Moves the picture no more than needed to show an object. */
  private reveal(id: string): void {
    const { editor, stage } = this.bench;
    const object = editor?.object(id);
    if (!object || !stage || object.area === 0) return;
    if (stage.view.revealRect(object.mask.snapshot())) stage.viewMoved();
  }

  remove(id = this.bench.editor?.activeId ?? null): void {
    const { editor } = this.bench;
    if (!editor || id === null) return;
    if (editor.object(id)?.locked) return this.bench.toast("The object is locked.", "warning");
    // A hidden object is shown first; the next press deletes it.
    if (bringIntoSight(this.bench, id)) return;
    editor.remove(id);
  }

  toggleHidden(id = this.bench.editor?.activeId ?? null): void {
    const object = id === null ? undefined : this.bench.editor?.object(id);
    if (object) this.bench.editor?.hide(object.id, !object.hidden);
  }

  showAll(): void {
    const { editor } = this.bench;
    for (const object of editor?.objects ?? []) if (object.hidden) editor?.hide(object.id, false);
  }

  toggleLocked(id = this.bench.editor?.activeId ?? null): void {
    const object = id === null ? undefined : this.bench.editor?.object(id);
    if (object) this.bench.editor?.lock(object.id, !object.locked);
  }

  /** Fill holes, drop islands, smooth. */
  clean(kind: "fillHoles" | "dropIslands" | "smooth"): void {
    const { editor } = this.bench;
    if (!editor) return;
    if (!editor.active) return this.bench.toast("No object is active.", "warning");
    bringIntoSight(this.bench);
    this.reveal(editor.active.id);
    const { smoothing } = this.bench.preferences.get();
    const changed = kind === "smooth" ? editor.smooth(editor.activeId, smoothing) : editor[kind]();
    if (!changed) this.bench.toast(editor.active.locked ? "The active object is locked." : "Nothing to change.");
  }
}
