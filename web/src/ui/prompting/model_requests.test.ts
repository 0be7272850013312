import { describe, expect, it } from "vitest";

import type { Prediction, PredictRequest, Refinement, RefineRequest } from "../../api/types";
import type { Prediction as Applied, CaseEditor } from "../../engine/editing/case_editor";
import { CaseObject } from "../../engine/editing/case_object";
import { BoxMask } from "../../engine/masks/mask";
import type { Operation } from "../../engine/operations";
import { ModelRequests } from "./model_requests";

const MODEL = { name: "tiny", sha256: "a", adapter: null, adapter_sha256: null };
const MASK = new BoxMask(2, 3, 2, 1, new Uint8Array([1, 1]));

const PART = new BoxMask(2, 3, 1, 1, new Uint8Array([1]));
const CHOICES: Prediction["objects"][number]["choices"] = [
  { mask: MASK, score: 0.9, answered_by: "whole" },
  { mask: PART, score: 0.4, answered_by: "window" },
];
const ANSWER = { score: 0.9, answered_by: "whole" as const, choices: CHOICES };

/** As much of an editor as a question needs. */
class FakeEditor {
  readonly applied: (Applied & { id: string })[] = [];
  correction: { before: BoxMask; after: BoxMask } | null = null;
  stroking = false;
  activeId: string | null = "a";

  readonly one = new CaseObject("a", 0, 20, 20);
  private readonly listeners = new Set<() => void>();

  subscribe(listener: () => void) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  lift() {
    this.stroking = false;
    for (const listener of this.listeners) listener();
  }

  object(id: string): CaseObject | undefined {
    return id === this.one.id ? this.one : undefined;
  }

  readonly discarded: string[] = [];

  discard(id: string): boolean {
    if (this.one.area > 0) return false;
    this.discarded.push(id);
    return true;
  }

  lastCorrection() {
    return this.correction;
  }

  applyPrediction(id: string, prediction: Applied): boolean {
    this.applied.push({ ...prediction, id });
    return true;
  }
}

function setUp() {
  const editor = new FakeEditor();
  const asked: {
    request: PredictRequest | RefineRequest;
    signal?: AbortSignal;
    answer: (clicks?: [number, number, 0 | 1][]) => void;
    fail: () => void;
    empty: () => void;
  }[] = [];
  const counts: number[] = [];
  const failures: string[] = [];
  const screen = { picture: "p" };
  const ask = (_: number, objects: (PredictRequest | RefineRequest)[], signal?: AbortSignal) =>
    new Promise<Refinement>((resolve, reject) => {
      const request = objects[0]!;
      asked.push({
        request,
        signal,
        answer: (clicks) =>
          resolve({
            objects: [{ ...ANSWER, id: request.id, mask: MASK, clicks: clicks ?? request.clicks }],
            model: MODEL,
            seconds: { encode: 0, decode: 0 },
            picture: "p",
          }),
        empty: () =>
          resolve({
            objects: [{ ...ANSWER, id: request.id, mask: BoxMask.empty(), clicks: [] }],
            model: MODEL,
            seconds: { encode: 0, decode: 0 },
            picture: "p",
          }),
        fail: () => reject(new Error("no model")),
      });
    });
  const requests = new ModelRequests(
    1,
    editor as unknown as CaseEditor,
    {
      underway: (count) => counts.push(count),
      failed: (text) => failures.push(text),
      empty: () => failures.push("nothing"),
      isShown: (picture) => picture === screen.picture,
    },
    { predict: ask, refine: ask },
  );
  return { editor, asked, counts, failures, requests, screen };
}

const edit: Operation = { id: "e", kind: "mask", object: "a", time: 0, data: { tool: "brush" }, mask: MASK };

describe("questions to the model", () => {
  it("applies the answer with the prompts and the model behind it", async () => {
    const { editor, asked, requests, counts } = setUp();
    const asking = requests.click(editor.one, [4, 5, 1]);
    expect(asked[0]!.request).toMatchObject({ id: "a", clicks: [[4, 5, 1]], box: null, previous: null });
    asked[0]!.answer();
    await asking;
    expect(editor.applied).toHaveLength(1);
    expect(editor.applied[0]).toMatchObject({
      tool: "click",
      prompts: { clicks: [[4, 5, 1]] },
      model: { ...MODEL, score: 0.9, answered_by: "whole" },
    });
    expect(counts.at(-1)).toBe(0);
  });

  it("asks what the click may mean at the first positive click alone, and records what answered", async () => {
    const { editor, asked, requests } = setUp();
    const first = requests.click(editor.one, [4, 5, 1]);
    expect(requests.isAsked("a")).toBe(true);
    asked[0]?.answer();
    await first;
    expect(requests.isAsked("a")).toBe(false);
    expect(editor.applied[0]?.model).toEqual({ ...MODEL, score: 0.9, answered_by: "whole" });
    expect(editor.applied[0]?.choices).toEqual([
      { mask: MASK, model: { ...MODEL, score: 0.9, answered_by: "whole" } },
      { mask: PART, model: { ...MODEL, score: 0.4, answered_by: "window" } },
    ]);

    // Two clicks, of which the first was not answered; a negative click; a box; an object with a mask.
    void requests.click(editor.one, [4, 5, 1]);
    void requests.click(editor.one, [6, 5, 1]);
    requests.cancel("a");
    void requests.click(editor.one, [4, 5, 0]);
    requests.cancel("a");
    void requests.box(editor.one, [1, 1, 9, 9]);
    requests.cancel("a");
    editor.one.mask.restore(PART);
    void requests.click(editor.one, [4, 5, 1]);
    const wanted = asked.map(({ request }) => "choices" in request && request.choices);
    expect(wanted).toEqual([true, true, false, false, false, false]);
    // The mask that was taken tells the server which logits to go on from.
    expect(asked.at(-1)?.request).toMatchObject({ previous: PART });
  });

  it("takes the clicks of an unanswered question along and ignores its late answer", async () => {
    const { editor, asked, requests } = setUp();
    const first = requests.click(editor.one, [4, 5, 1]);
    const second = requests.click(editor.one, [6, 7, 0]);
    expect(asked[0]!.signal?.aborted).toBe(true);
    expect(asked[1]!.request.clicks).toEqual([
      [4, 5, 1],
      [6, 7, 0],
    ]);
    asked[0]!.answer();
    asked[1]!.answer();
    await Promise.all([first, second]);
    expect(editor.applied).toHaveLength(1);
    expect(editor.applied[0]!.prompts.clicks).toHaveLength(2);
  });

  it("drops an answer that is of another picture than the screen shows, and asks on as before", async () => {
    const { editor, asked, requests, counts, failures, screen } = setUp();
    screen.picture = "old";
    const first = requests.click(editor.one, [4, 5, 1]);
    asked[0]!.answer();
    await first;
    expect(editor.applied).toHaveLength(0);
    expect(failures).toEqual([]);
    expect(counts.at(-1)).toBe(0);
    screen.picture = "p";
    const second = requests.click(editor.one, [4, 5, 1]);
    asked[1]!.answer();
    await second;
    expect(editor.applied).toHaveLength(1);
  });

  it("drops an answer that comes after a newer edit of the object, not of another", async () => {
    const { editor, asked, requests } = setUp();
    const first = requests.click(editor.one, [4, 5, 1]);
    requests.noteEdits([{ ...edit, object: "b" }]);
    asked[0]!.answer();
    await first;
    expect(editor.applied).toHaveLength(1);

    const second = requests.click(editor.one, [4, 5, 1]);
    requests.noteEdits([edit]);
    asked[1]!.answer();
    await second;
    expect(editor.applied).toHaveLength(1);
  });

  it("drops an answer for a deleted object", async () => {
    const { editor, asked, requests } = setUp();
    const asking = requests.click(editor.one, [4, 5, 1]);
    editor.one.deleted = true;
    asked[0]!.answer();
    await asking;
    expect(editor.applied).toHaveLength(0);
  });

  it("waits with an answer until the brush is lifted, and drops it when the stroke was on that object", async () => {
    const { editor, asked, requests } = setUp();
    const first = requests.click(editor.one, [4, 5, 1]);
    editor.stroking = true;
    asked[0]!.answer();
    await new Promise((resolve) => setTimeout(resolve));
    expect(editor.applied).toHaveLength(0);
    editor.lift();
    await first;
    expect(editor.applied).toHaveLength(1);

    const second = requests.click(editor.one, [4, 5, 1]);
    editor.stroking = true;
    asked[1]!.answer();
    await new Promise((resolve) => setTimeout(resolve));
    requests.noteEdits([edit]);
    editor.lift();
    await second;
    expect(editor.applied).toHaveLength(1);
  });

  it("tells of a failure once, and of none after the case was left", async () => {
    const { editor, asked, requests, failures } = setUp();
    const first = requests.click(editor.one, [4, 5, 1]);
    asked[0]!.fail();
    await first;
    expect(failures).toEqual(["no model"]);
    const second = requests.click(editor.one, [4, 5, 1]);
    requests.cancelAll();
    asked[1]!.fail();
    await second;
    expect(failures).toHaveLength(1);
  });

  it("leaves no empty object behind: not after a failure, an empty answer, or when the case is left", async () => {
    const { editor, asked, requests, failures } = setUp();
    const first = requests.click(editor.one, [4, 5, 1]);
    asked[0]!.fail();
    await first;
    const second = requests.click(editor.one, [4, 5, 1]);
    asked[1]!.empty();
    await second;
    void requests.click(editor.one, [4, 5, 1]);
    requests.cancelAll();
    expect(editor.discarded).toEqual(["a", "a", "a"]);
    expect(failures).toEqual(["no model", "nothing"]);
    expect(editor.applied).toEqual([]);
  });

  it("keeps the mask and the clicks where an answer is empty", async () => {
    const { editor, asked, requests, failures } = setUp();
    editor.one.mask.restore(MASK);
    const first = requests.click(editor.one, [4, 5, 1]);
    asked[0]!.empty();
    await first;
    expect([editor.discarded, editor.applied, failures]).toEqual([[], [], ["nothing"]]);
    void requests.click(editor.one, [6, 5, 1]);
    expect(asked[1]!.request.clicks).toEqual([[6, 5, 1]]);
  });

  it("refines only what the hand changed, and keeps the clicks the server chose", async () => {
    const { editor, asked, requests } = setUp();
    expect(requests.refine(editor.one)).toBe(false);
    editor.correction = { before: MASK, after: BoxMask.empty() };
    const refining = requests.refine(editor.one);
    asked[0]!.answer([[1, 1, 0]]);
    await refining;
    expect(asked[0]!.request).toMatchObject({ before: MASK, painted: null, erased: null });
    expect(editor.applied[0]).toMatchObject({ tool: "refine", prompts: { clicks: [[1, 1, 0]], box: null } });
  });
});
