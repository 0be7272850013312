import { describe, expect, it } from "vitest";

import { CaseEditor } from "../../engine/editing/case_editor";
import { BoxMask } from "../../engine/masks/mask";
import { intentOfBox, intentOfClick } from "./prompt_intent";

const [WIDTH, HEIGHT] = [1000, 500];
const NOTHING = { newObjectRequested: false, waiting: [] };

function block(x: number, y: number, width: number, height: number): BoxMask {
  return new BoxMask(x, y, width, height, new Uint8Array(width * height).fill(1));
}

/** Two teeth of 40 x 100 beside each other, with a gap of 6, and a filling within the first, which is active. */
function jaw() {
  const editor = new CaseEditor(WIDTH, HEIGHT);
  const filling = editor.create({ category: "restoration", mask: block(210, 210, 12, 12) });
  const right = editor.create({ category: "35", mask: block(246, 200, 40, 100) });
  const left = editor.create({ category: "36", mask: block(200, 200, 40, 100) });
  return { editor, filling, right, left };
}

describe("what a click is for", () => {
  it("begins an object where nothing is active and no mask is there, and goes to the one that is there", () => {
    const { editor, right } = jaw();
    editor.setActive(null);
    expect(intentOfClick(editor, [500, 100], NOTHING)).toEqual({ kind: "begin" });
    expect(intentOfClick(editor, [260, 250], NOTHING)).toEqual({ kind: "go", id: right });
    // Asked for by name, it begins within another one: a filling in its tooth.
    expect(intentOfClick(editor, [260, 250], { newObjectRequested: true, waiting: [] })).toEqual({ kind: "begin" });
  });

  it("corrects the active object within its mask and close to it", () => {
    const { editor } = jaw();
    expect(intentOfClick(editor, [235, 290], NOTHING)).toEqual({ kind: "correct" });
    // A part of the root that is missing just below, and one beside it.
    expect(intentOfClick(editor, [220, 308], NOTHING)).toEqual({ kind: "correct" });
    expect(intentOfClick(editor, [194, 250], NOTHING)).toEqual({ kind: "correct" });
  });

  it("asks at a distance, as at the middle of a neighbour without a mask", () => {
    const { editor } = jaw();
    expect(intentOfClick(editor, [174, 250], NOTHING)).toEqual({ kind: "ask" });
    expect(intentOfClick(editor, [800, 100], NOTHING)).toEqual({ kind: "ask" });
  });

  it("begins an object farther from a proposal, on which nobody has begun", () => {
    const { editor } = jaw();
    editor.applyRemote([
      {
        id: "proposes",
        kind: "create",
        object: "proposal",
        time: 1,
        data: { category: "26", parent: null, source: "proposal", confidence: 0.9 },
        mask: block(500, 200, 40, 100),
      },
    ]);
    editor.setActive("proposal");
    expect(intentOfClick(editor, [520, 250], NOTHING)).toEqual({ kind: "correct" });
    expect(intentOfClick(editor, [520, 305], NOTHING)).toEqual({ kind: "correct" });
    expect(intentOfClick(editor, [566, 250], NOTHING)).toEqual({ kind: "ask" });
    expect(intentOfClick(editor, [620, 250], NOTHING)).toEqual({ kind: "begin" });
    editor.relabel("proposal", "27");
    expect(intentOfClick(editor, [620, 250], NOTHING)).toEqual({ kind: "ask" });
  });

  it("goes to another tooth that has a mask, hidden or not, and to the filling on top of the active one", () => {
    const { editor, right, filling } = jaw();
    expect(intentOfClick(editor, [260, 250], NOTHING)).toEqual({ kind: "go", id: right });
    editor.hide(right, true);
    expect(intentOfClick(editor, [260, 250], NOTHING)).toEqual({ kind: "go", id: right });
    expect(intentOfClick(editor, [215, 215], NOTHING)).toEqual({ kind: "go", id: filling });
  });

  it("stays with the active object where a larger one covers it too", () => {
    const { editor, left } = jaw();
    const larger = editor.create({ category: "", mask: block(195, 195, 50, 125) });
    editor.setActive(left);
    expect(intentOfClick(editor, [235, 290], NOTHING)).toEqual({ kind: "correct" });
    // From the larger one the tooth is what lies in it, as a filling lies in its tooth.
    editor.setActive(larger);
    expect(intentOfClick(editor, [235, 290], NOTHING)).toEqual({ kind: "go", id: left });
  });

  it("corrects a filling within its tooth, whose mask is all around it", () => {
    const { editor, filling } = jaw();
    editor.setActive(filling);
    expect(intentOfClick(editor, [224, 215], NOTHING)).toEqual({ kind: "correct" });
    expect(intentOfClick(editor, [220, 290], NOTHING)).toEqual({ kind: "ask" });
  });

  it("leaves an accepted object alone: beside it a new one begins, within it nothing does", () => {
    const { editor, left } = jaw();
    editor.accept(left);
    expect(intentOfClick(editor, [235, 290], NOTHING)).toEqual({ kind: "accepted" });
    expect(intentOfClick(editor, [194, 250], NOTHING)).toEqual({ kind: "begin" });
  });

  it("takes a second click before the first answer for the same object only near the first", () => {
    const { editor } = jaw();
    editor.create();
    expect(intentOfClick(editor, [600, 100], NOTHING)).toEqual({ kind: "correct" });
    const waiting = [[600, 100] as const];
    expect(intentOfClick(editor, [610, 125], { newObjectRequested: false, waiting })).toEqual({ kind: "correct" });
    expect(intentOfClick(editor, [660, 100], { newObjectRequested: false, waiting })).toEqual({ kind: "ask" });
  });
});

describe("what a box is for", () => {
  it("corrects the object it touches, begins one after an accepted one, and asks elsewhere", () => {
    const { editor, left } = jaw();
    expect(intentOfBox(editor, [195, 190, 245, 320])).toEqual({ kind: "correct" });
    expect(intentOfBox(editor, [500, 190, 545, 320])).toEqual({ kind: "ask" });
    editor.accept(left);
    expect(intentOfBox(editor, [195, 190, 245, 320])).toEqual({ kind: "begin" });
    editor.setActive(null);
    expect(intentOfBox(editor, [195, 190, 245, 320])).toEqual({ kind: "begin" });
  });
});
