import { beforeEach, describe, expect, it } from "vitest";
import { BoxMask } from "../masks/mask";
import type { ModelRecord, ObjectOperation, Operation, Prompts } from "../operations";
import { CaseEditor } from "./case_editor";

const IDENTITY = { name: "m", sha256: "a", adapter: null, adapter_sha256: null };
const PROMPTS: Prompts = { clicks: [[40, 30, 1]], box: null };

function rectangle(x: number, y: number, width: number, height: number): BoxMask {
  return new BoxMask(x, y, width, height, new Uint8Array(width * height).fill(1));
}

const recordOf = (score: number): ModelRecord => ({ ...IDENTITY, score, answered_by: "whole" });
const WHOLE = { mask: rectangle(20, 10, 40, 80), model: recordOf(0.9) };
const PART = { mask: rectangle(35, 25, 12, 10), model: recordOf(0.85) };
const SMALL = { mask: rectangle(38, 28, 4, 4), model: recordOf(0.2) };

let editor: CaseEditor;
let sent: Operation[][];

beforeEach(() => {
  editor = new CaseEditor(200, 120);
  sent = [];
  editor.onOperations = (operations) => sent.push(operations);
});

/** An object of one click that means the whole or its part, and the whole is taken. */
function clicked(taken = WHOLE, choices = [WHOLE, PART, SMALL]): string {
  const id = editor.create({ source: "model" });
  editor.applyPrediction(id, { ...taken, tool: "click", prompts: PROMPTS, choices });
  return id;
}

const maskOf = (id: string) => editor.object(id)?.mask.snapshot() ?? BoxMask.empty();
const takenOf = (id: string) => editor.object(id)?.choices?.taken;

describe("the choices of a first click", () => {
  it("begin with the one that the answer's mask is", () => {
    expect(takenOf(clicked())).toBe(0);
    expect(takenOf(clicked(PART))).toBe(1);
    // Nothing to choose: a single mask, or others than the object's.
    expect(takenOf(clicked(WHOLE, [WHOLE]))).toBeUndefined();
    expect(takenOf(clicked(SMALL, [WHOLE, PART]))).toBeUndefined();
  });

  it("are switched by one operation and one step, with the model's score of that mask and nothing by hand", () => {
    const id = clicked();
    const [before, steps] = [sent.length, editor.undoSteps];
    expect(editor.choose(id, 1)).toBe(true);
    expect(sent.slice(before)).toHaveLength(1);
    const [operation] = sent[before] as [ObjectOperation & { kind: "mask" }];
    expect(sent[before]).toHaveLength(1);
    expect(operation).toMatchObject({ kind: "mask", object: id, data: { tool: "choice", model: PART.model } });
    expect(operation.mask.equals(PART.mask)).toBe(true);
    expect(Object.keys(operation)).not.toContain("painted");
    expect(Object.keys(operation.data)).not.toContain("prompts");
    expect(maskOf(id).equals(PART.mask)).toBe(true);
    expect(editor.object(id)).toMatchObject({ prompts: PROMPTS, model: PART.model, area: 120 });
    expect(editor.lastCorrection(id)).toBeNull();
    expect(editor.undoSteps).toBe(steps + 1);
    expect(takenOf(id)).toBe(1);
  });

  it("are undone and redone one by one", () => {
    const id = clicked();
    editor.choose(id, 1);
    editor.choose(id, 2);
    editor.undo();
    expect([takenOf(id), maskOf(id).equals(PART.mask), editor.object(id)?.score]).toEqual([1, true, 0.85]);
    editor.undo();
    expect([takenOf(id), maskOf(id).equals(WHOLE.mask)]).toEqual([0, true]);
    editor.redo();
    expect([takenOf(id), maskOf(id).equals(PART.mask)]).toEqual([1, true]);
    editor.undo();
    editor.undo();
    expect(editor.object(id)?.deleted).toBe(true);
  });

  it("give a label for parts the part, unless the annotator has chosen", () => {
    const id = clicked();
    // The smallest one is scored too low.
    expect(editor.preferPart(id)).toBe(true);
    expect(takenOf(id)).toBe(1);
    // Once more does nothing, nor does it for what is a part already.
    expect(editor.preferPart(id)).toBe(false);
    expect(editor.preferPart(clicked(PART))).toBe(false);
    const chosen = clicked(PART);
    editor.choose(chosen, 0);
    expect(editor.preferPart(chosen)).toBe(false);
    // Not a part: it lies outside, is nearly the whole, or the model does not believe in it.
    const outside = { mask: rectangle(57, 25, 12, 10), model: recordOf(0.9) };
    const nearly = { mask: rectangle(20, 10, 40, 60), model: recordOf(0.9) };
    for (const other of [outside, nearly, SMALL])
      expect(editor.preferPart(clicked(WHOLE, [WHOLE, other]))).toBe(false);
    expect(editor.preferPart(editor.create())).toBe(false);
  });

  it("stay with what is there: no such choice, the one that is taken, a locked object", () => {
    const id = clicked();
    expect(editor.choose(id, 0)).toBe(false);
    expect(editor.choose(id, 3)).toBe(false);
    editor.lock(id, true);
    expect(editor.choose(id, 1)).toBe(false);
    expect(maskOf(id).equals(WHOLE.mask)).toBe(true);
  });

  it("end with a second click, and with a stroke on the object or from another one; undo brings them back", () => {
    const ends: ((id: string) => void)[] = [
      (id) => editor.applyPrediction(id, { ...PART, tool: "click", prompts: PROMPTS }),
      () => {
        editor.beginStroke("brush", [80, 50]);
        editor.endStroke();
      },
      () => editor.smooth(undefined, 5),
      () => {
        editor.create();
        editor.setBrush({ mode: "take" });
        editor.beginStroke("brush", [40, 50]);
        editor.endStroke();
      },
    ];
    for (const end of ends) {
      const id = clicked();
      editor.choose(id, 1);
      editor.choose(id, 0);
      end(id);
      expect(editor.object(id)?.choices).toBeNull();
      expect(editor.choose(id, 1)).toBe(false);
      editor.undo();
      expect(takenOf(id)).toBe(0);
      expect(editor.choose(id, 1)).toBe(true);
    }
  });

  it("end with another annotator's mask", () => {
    const id = clicked();
    const mask = rectangle(30, 20, 5, 5);
    editor.applyRemote([{ id: "r", time: 1, kind: "mask", object: id, data: { tool: "brush" }, mask }]);
    expect(editor.object(id)?.choices).toBeNull();
    expect(maskOf(id).equals(mask)).toBe(true);
  });

  it("leave what was painted and erased by hand", () => {
    const id = editor.create();
    editor.setBrush({ size: 10, shape: "square" });
    editor.beginStroke("brush", [100, 60]);
    editor.endStroke();
    const painted = editor.object(id)?.painted.snapshot();
    editor.applyPrediction(id, { ...WHOLE, tool: "click", prompts: PROMPTS, choices: [WHOLE, PART] });
    editor.choose(id, 1);
    expect(editor.object(id)?.area).toBe(120 + (painted?.area ?? 0));
    expect(editor.object(id)?.painted.snapshot()).toEqual(painted);
  });
});
