import { describe, expect, it } from "vitest";

import { BoxMask } from "../masks/mask";
import type { ObjectOperation, Operation } from "../operations";
import { CaseEditor } from "./case_editor";

const square = (x: number) => new BoxMask(x, 4, 5, 5, new Uint8Array(25).fill(1));

function proposal(object: string, x: number, category = "36"): ObjectOperation {
  const prompts = { clicks: [[x + 2, 6, 1] as [number, number, 1]], box: null };
  const data = { category, parent: null, source: "proposal" as const, prompts, confidence: 0.75 };
  return { id: `propose-${object}`, kind: "create", object, time: 1, data, mask: square(x) };
}

function proposed(): { editor: CaseEditor; sent: Operation[] } {
  const editor = new CaseEditor(60, 40);
  editor.load([], "new", ["18"]);
  editor.applyRemote([proposal("a", 3), proposal("b", 20, "37")]);
  const sent: Operation[] = [];
  editor.onOperations = (operations) => sent.push(...operations);
  return { editor, sent };
}

describe("proposals in the page", () => {
  it("arrive with their click and confidence, and do not begin the case", () => {
    const { editor } = proposed();
    const object = editor.object("a");
    expect(object).toMatchObject({
      proposed: true,
      confidence: 0.75,
      category: "36",
      prompts: { clicks: [[5, 6, 1]] },
    });
    expect(editor.status).toBe("new");
    expect(editor.canUndo).toBe(false);
  });

  it("become objects by acceptance, and proposals again by its undo", () => {
    const { editor } = proposed();
    editor.group(() => ["a", "b"].forEach((id) => void editor.accept(id)));
    expect(editor.objects.map((object) => object.proposed)).toEqual([false, false]);
    editor.undo();
    expect(editor.objects.map((object) => object.proposed)).toEqual([true, true]);
    expect(editor.status).toBe("in-progress");
  });

  it.each([
    ["a number", (editor: CaseEditor) => editor.relabel("a", "46")],
    ["a parent", (editor: CaseEditor) => editor.setParent("a", "b")],
    ["a lock", (editor: CaseEditor) => editor.lock("a", true)],
    ["a deletion", (editor: CaseEditor) => editor.remove("a")],
    [
      "a mask",
      (editor: CaseEditor) => {
        editor.setActive("a");
        editor.lasso(
          [
            [3, 4],
            [6, 4],
            [6, 8],
            [3, 8],
          ],
          false,
        );
      },
    ],
  ])("are touched by %s until that is undone, and again by its redo", (_, change) => {
    const { editor } = proposed();
    const object = editor.object("a")!;
    change(editor);
    expect(object.proposed).toBe(false);
    editor.undo();
    expect(object.proposed).toBe(true);
    editor.redo();
    expect(object.proposed).toBe(false);
    editor.undo();
    expect(object.proposed).toBe(true);
  });

  it("that the model withdraws go, with no step of undo", () => {
    const { editor } = proposed();
    editor.applyRemote([{ id: "w", kind: "delete", object: "a", time: 2, data: { deleted: true, withdrawn: true } }]);
    expect(editor.objects.map(({ id }) => id)).toEqual(["b"]);
    expect(editor.status).toBe("new");
    expect(editor.canUndo).toBe(false);
  });
});

describe("missing teeth", () => {
  it("are marked in chart order, and undo and redo take the mark back and forth", () => {
    const { editor, sent } = proposed();
    editor.setMissing("48", true);
    editor.setMissing("17", true);
    editor.setMissing("17", true);
    expect(editor.missing).toEqual(["18", "17", "48"]);
    editor.undo();
    expect(editor.missing).toEqual(["18", "48"]);
    editor.redo();
    expect(editor.missing).toEqual(["18", "17", "48"]);
    expect(sent.map(({ kind }) => kind)).toEqual(["missing", "missing", "missing", "missing"]);
    expect(sent[2]?.undoes).toBe(sent[1]?.id);
    expect(sent[3]?.undoes).toBe(sent[2]?.id);
  });

  it("that another client changes cannot be undone here any more", () => {
    const { editor } = proposed();
    editor.setMissing("48", true);
    editor.applyRemote([{ id: "m", kind: "missing", object: null, time: 2, data: { number: "48", missing: false } }]);
    expect(editor.missing).toEqual(["18"]);
    expect(editor.canUndo).toBe(false);
  });
});
