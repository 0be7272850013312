import type { CaseObject } from "../../engine/editing/case_editor";
import type { Point } from "../../engine/geometry/point";
import { fromModel } from "../../engine/geometry/view";
import type { BoxPrompt, Click } from "../../engine/operations";
import { nameOf } from "../labels/label_names";
import { bringIntoSight } from "../state/visibility";
import type { Workbench } from "../state/workbench";
import type { Question } from "../state/workbench_state";
import { type Intent, intentOfBox, intentOfClick } from "./prompt_intent";

/** A second click this near to the one in question, in screen pixels, confirms it. */
const SAME_CLICK_PX = 12;

/** Decides which object a click or box on the picture is for, and asks where that is not clear. */
export class PromptActions {
  constructor(private readonly bench: Workbench) {}

  /** x, y in the model's coordinates. */
  click(x: number, y: number, positive: boolean): void {
    const { editor, modelRequests, state } = this.bench;
    if (!editor) return;
    const click: Click = [x, y, positive ? 1 : 0];
    const at = fromModel([x, y]);
    if (!positive) {
      if (editor.active === null)
        return this.bench.toast("The first click of an object is a positive one.", "warning");
      return this.use({ kind: "click", click }, editor.active);
    }
    if (this.isSame(at) && this.answer("same")) return;
    const waiting =
      editor.active && modelRequests ? modelRequests.waiting(editor.active).map((one) => fromModel(one)) : [];
    this.follow(intentOfClick(editor, at, { newObjectRequested: state.get().newObjectRequested, waiting }), at, {
      kind: "click",
      click,
    });
  }

  box(box: BoxPrompt): void {
    const { editor } = this.bench;
    if (editor) this.follow(intentOfBox(editor, box), fromModel([box[2], box[3]]), { kind: "box", box });
  }

  /** Carries out the answer to the open question; false where there is none. */
  answer(choice: "same" | "new"): boolean {
    const { editor, state } = this.bench;
    const { question } = state.get();
    state.set({ question: null });
    if (question === null || !editor || editor.activeId !== question.object) return false;
    if (choice === "new") this.begin(question.prompt);
    else this.use(question.prompt, editor.active);
    return true;
  }

  private follow(intent: Intent, at: Point, prompt: Question["prompt"]): void {
    const { editor, labels, state } = this.bench;
    if (!editor) return;
    state.set({ question: null });
    switch (intent.kind) {
      case "begin":
        return this.begin(prompt);
      case "correct":
        return this.use(prompt, editor.active);
      case "accepted":
        return this.bench.toast(
          `${nameOf(editor.active?.category ?? null, labels)} is accepted: take that back to correct it, or press N for another object here.`,
        );
      case "go":
        editor.setActive(intent.id);
        if (!bringIntoSight(this.bench) && !editor.active?.proposed)
          this.bench.toast(
            `This is ${nameOf(editor.active?.category ?? null, labels)}. N begins another object here.`,
          );
        return;
      case "ask":
        if (editor.activeId !== null) state.set({ question: { object: editor.activeId, at, prompt } });
    }
  }

  private begin(prompt: Question["prompt"]): void {
    const { editor, state } = this.bench;
    state.set({ newObjectRequested: false });
    editor?.create({ source: "model" });
    this.use(prompt, editor?.active ?? null);
  }

  private use(prompt: Question["prompt"], object: CaseObject | null): void {
    const { modelRequests, state } = this.bench;
    state.set({ question: null });
    if (object === null) return;
    if (object.locked)
      return this.bench.toast("The active object is locked (Y unlocks, N begins a new one).", "warning");
    bringIntoSight(this.bench);
    if (prompt.kind === "click") void modelRequests?.click(object, prompt.click);
    else void modelRequests?.box(object, prompt.box);
  }

  private isSame([x, y]: Point): boolean {
    const { question } = this.bench.state.get();
    const zoom = this.bench.stage?.view.zoom ?? 1;
    return (
      question?.prompt.kind === "click" && Math.hypot(x - question.at[0], y - question.at[1]) * zoom <= SAME_CLICK_PX
    );
  }
}
