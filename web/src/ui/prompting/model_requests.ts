import * as client from "../../api/client";
import { errorMessage } from "../../api/errors";
import type { Prediction, PredictRequest, Refinement } from "../../api/types";
import type { CaseEditor, CaseObject } from "../../engine/editing/case_editor";
import type { Bitmask, BoxMask } from "../../engine/masks/mask";
import type { BoxPrompt, Click, ModelRecord, Operation, Prompts } from "../../engine/operations";

type ModelServer = Pick<typeof client, "predict" | "refine">;

export interface ModelRequestListener {
  /** How many requests are under way now. */
  underway(count: number): void;
  failed(message: string): void;
  /** The answer had no pixels: the object stays as it was. */
  empty(): void;
  /** Whether the screen shows the picture (by its hash) that an answer is about. */
  isShown(picture: string): boolean;
}

interface PendingRequest {
  tool: "click" | "box" | "refine";
  prompts: Prompts;
  abort: AbortController;
}

type Answer = Prediction["objects"][number] & Partial<Refinement["objects"][number]>;

/** The pixels of a mask; null where it has none. */
function pixelsOf(mask: Bitmask): BoxMask | null {
  const snapshot = mask.snapshot();
  return snapshot.bits.length > 0 ? snapshot : null;
}

/** Such a click may mean a part or the whole, and the model is asked for all of them. */
function isFirstClick({ area }: CaseObject, { clicks, box }: Prompts): boolean {
  return area === 0 && box === null && clicks.length === 1 && clicks[0]?.[2] === 1;
}

/**
 * Requests to the model for the objects of one case: here a click becomes a request, and its answer a mask. Each object has at most
 * one request under way. A new click includes the clicks of an unanswered request and cancels it; an answer that arrives after a newer
 * edit of its object is dropped.
 */
export class ModelRequests {
  private readonly pending = new Map<string, PendingRequest>();
  private applying: string | null = null;

  constructor(
    private readonly caseId: number,
    private readonly editor: CaseEditor,
    private readonly listener: ModelRequestListener,
    private readonly server: ModelServer = client,
  ) {}

  click(object: CaseObject, click: Click): Promise<void> {
    const prompts = this.promptsOf(object);
    return this.predict(object, { ...prompts, clicks: [...prompts.clicks, click] }, "click");
  }

  box(object: CaseObject, box: BoxPrompt): Promise<void> {
    return this.predict(object, { ...this.promptsOf(object), box }, "box");
  }

  /** Refines the mask from the last manual correction; false where there is none since the last answer. */
  refine(object: CaseObject): Promise<void> | false {
    const correction = this.editor.lastCorrection(object.id);
    if (!correction) return false;
    const prompts = this.promptsOf(object);
    return this.request(object, "refine", prompts, (signal) =>
      this.server.refine(
        this.caseId,
        [
          {
            id: object.id,
            ...correction,
            painted: pixelsOf(object.painted),
            erased: pixelsOf(object.erased),
            clicks: prompts.clicks,
            category: object.category,
          },
        ],
        signal,
      ),
    );
  }

  /** To be called with every operation made in the editor: an edit cancels the request for its object. */
  noteEdits(operations: readonly Operation[]): void {
    for (const { object } of operations) {
      if (object !== null && object !== this.applying) this.cancel(object);
    }
  }

  cancel(object: string): void {
    const pending = this.pending.get(object);
    if (!pending) return;
    this.pending.delete(object);
    pending.abort.abort();
    this.notify();
  }

  /** Cancels all requests; an object that only waited for its first answer is discarded. */
  cancelAll(): void {
    for (const object of [...this.pending.keys()]) {
      this.cancel(object);
      this.editor.discard(object);
    }
  }

  isAsked(object: string): boolean {
    return this.pending.has(object);
  }

  /** Clicks of an object that wait for an answer. */
  waiting(object: CaseObject): readonly Click[] {
    return this.pending.get(object.id)?.prompts.clicks ?? [];
  }

  private promptsOf(object: CaseObject): Prompts {
    const waiting = this.pending.get(object.id);
    if (waiting && waiting.tool !== "refine") return waiting.prompts;
    return { clicks: [...object.prompts.clicks], box: object.prompts.box };
  }

  private predict(object: CaseObject, prompts: Prompts, tool: "click" | "box"): Promise<void> {
    const body: PredictRequest = {
      id: object.id,
      clicks: prompts.clicks,
      box: prompts.box,
      previous: object.area > 0 ? object.mask.snapshot() : null,
      painted: pixelsOf(object.painted),
      erased: pixelsOf(object.erased),
      category: object.category,
      choices: isFirstClick(object, prompts),
    };
    return this.request(object, tool, prompts, (signal) => this.server.predict(this.caseId, [body], signal));
  }

  private async request(
    object: CaseObject,
    tool: PendingRequest["tool"],
    prompts: Prompts,
    send: (signal: AbortSignal) => Promise<Prediction | Refinement>,
  ): Promise<void> {
    const { id } = object;
    this.cancel(id);
    const pending: PendingRequest = { tool, prompts, abort: new AbortController() };
    this.pending.set(id, pending);
    this.notify();
    try {
      const reply = await send(pending.abort.signal);
      // Applying the answer would end a stroke under way.
      await this.strokeFinished();
      if (this.pending.get(id) !== pending) return;
      this.pending.delete(id);
      // A mask of one picture does not fit another.
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
      const recordOf = ({ score, answered_by }: Pick<Answer, "score" | "answered_by">): ModelRecord => ({
        ...reply.model,
        score,
        answered_by,
      });
      this.applying = id;
      this.editor.applyPrediction(id, {
        mask: answer.mask,
        tool,
        prompts: { clicks: answer.clicks ?? prompts.clicks, box: prompts.box },
        model: recordOf(answer),
        choices: answer.choices.map((choice) => ({ mask: choice.mask, model: recordOf(choice) })),
      });
    } catch (error) {
      if (this.pending.get(id) !== pending) return;
      this.pending.delete(id);
      this.editor.discard(id);
      this.listener.failed(errorMessage(error));
    } finally {
      this.applying = null;
      this.notify();
    }
  }

  private strokeFinished(): Promise<void> {
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

  private notify(): void {
    this.listener.underway(this.pending.size);
  }
}
