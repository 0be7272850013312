import * as client from "../api/client";
import type { PredictRequest, Prediction, Refinement } from "../api/types";
import type { CaseEditor, CaseObject } from "../engine/editor";
import type { Bitmask, BoxMask } from "../engine/mask";
import type { BoxPrompt, Click, ModelRecord, Operation, Prompts } from "../engine/types";

type Model = Pick<typeof client, "predict" | "refine">;

export interface ProposalListener {
  /** Requests under way. */
  asking(count: number): void;
  failed(message: string): void;
  /** The answer had no pixel: the object is as it was. */
  empty(): void;
  /** Whether the picture that an answer is of is the one on the screen. */
  isShown(picture: string): boolean;
}

interface Question {
  tool: "click" | "box" | "refine";
  prompts: Prompts;
  abort: AbortController;
}

type Answer = Prediction["objects"][number] & Partial<Refinement["objects"][number]>;

function some(mask: Bitmask): BoxMask | null {
  const snapshot = mask.snapshot();
  return snapshot.bits.length > 0 ? snapshot : null;
}

/**
 * Asks the model on behalf of one case. Each object has at most one question under way: a new click takes the clicks of an unanswered
 * question along, and an answer that arrives after a newer edit of its object is dropped.
 */
export class Proposals {
  private readonly questions = new Map<string, Question>();
  private applying: string | null = null;

  constructor(
    private readonly caseId: number,
    private readonly editor: CaseEditor,
    private readonly listener: ProposalListener,
    private readonly model: Model = client,
  ) {}

  click(object: CaseObject, click: Click): Promise<void> {
    const prompts = this.promptsOf(object);
    return this.predict(object, { ...prompts, clicks: [...prompts.clicks, click] }, "click");
  }

  box(object: CaseObject, box: BoxPrompt): Promise<void> {
    return this.predict(object, { ...this.promptsOf(object), box }, "box");
  }

  /** From what the hand changed last; false where there is nothing to learn from. */
  refine(object: CaseObject): Promise<void> | false {
    const correction = this.editor.lastCorrection(object.id);
    if (!correction) return false;
    const prompts = this.promptsOf(object);
    return this.ask(object, "refine", prompts, (signal) =>
      this.model.refine(
        this.caseId,
        [
          {
            id: object.id,
            ...correction,
            painted: some(object.painted),
            erased: some(object.erased),
            clicks: prompts.clicks,
            category: object.category,
          },
        ],
        signal,
      ),
    );
  }

  /** To be told of every operation made in the editor. */
  noteEdits(operations: readonly Operation[]): void {
    for (const { object } of operations) {
      if (object !== null && object !== this.applying) this.drop(object);
    }
  }

  drop(object: string): void {
    const question = this.questions.get(object);
    if (!question) return;
    this.questions.delete(object);
    question.abort.abort();
    this.tell();
  }

  /** An object that only waited for its first answer goes with the question. */
  dropAll(): void {
    for (const object of [...this.questions.keys()]) {
      this.drop(object);
      this.editor.discard(object);
    }
  }

  /** Clicks of an object that wait for an answer. */
  waiting(object: CaseObject): readonly Click[] {
    return this.questions.get(object.id)?.prompts.clicks ?? [];
  }

  private promptsOf(object: CaseObject): Prompts {
    const waiting = this.questions.get(object.id);
    if (waiting && waiting.tool !== "refine") return waiting.prompts;
    return { clicks: [...object.prompts.clicks], box: object.prompts.box };
  }

  private predict(object: CaseObject, prompts: Prompts, tool: "click" | "box"): Promise<void> {
    const request: PredictRequest = {
      id: object.id,
      clicks: prompts.clicks,
      box: prompts.box,
      previous: object.area > 0 ? object.mask.snapshot() : null,
      painted: some(object.painted),
      erased: some(object.erased),
      category: object.category,
    };
    return this.ask(object, tool, prompts, (signal) => this.model.predict(this.caseId, [request], signal));
  }

  private async ask(
    object: CaseObject,
    tool: Question["tool"],
    prompts: Prompts,
    send: (signal: AbortSignal) => Promise<Prediction | Refinement>,
  ): Promise<void> {
    const { id } = object;
    this.drop(id);
    const question: Question = { tool, prompts, abort: new AbortController() };
    this.questions.set(id, question);
    this.tell();
    try {
      const reply = await send(question.abort.signal);
      // To apply it would end a stroke under way.
      await this.handAtRest();
      if (this.questions.get(id) !== question) return;
      this.questions.delete(id);
      // A mask of one picture has no place on another.
      if (!this.listener.isShown(reply.picture)) {
        this.editor.discard(id);
        return;
      }
      const answers: readonly Answer[] = reply.objects;
      const answer = answers.find((one) => one.id === id);
      const object = this.editor.object(id);
      if (!object || object.deleted) return;
      if (!answer || answer.mask.width === 0) {
        this.editor.discard(id);
        return this.listener.empty();
      }
      this.applying = id;
      this.editor.applyPrediction(id, {
        mask: answer.mask,
        tool,
        prompts: { clicks: answer.clicks ?? prompts.clicks, box: prompts.box },
        model: { ...reply.model, score: answer.score } as ModelRecord,
      });
    } catch (fault) {
      if (this.questions.get(id) !== question) return;
      this.questions.delete(id);
      this.editor.discard(id);
      this.listener.failed(fault instanceof Error ? fault.message : "The model did not answer.");
    } finally {
      this.applying = null;
      this.tell();
    }
  }

  private handAtRest(): Promise<void> {
    const { editor } = this;
    if (!editor.stroking) return Promise.resolve();
    return new Promise((resolve) => {
      const end = editor.subscribe(() => {
        if (editor.stroking) return;
        end();
        resolve();
      });
    });
  }

  private tell(): void {
    this.listener.asking(this.questions.size);
  }
}
