import { beforeEach, describe, expect, it } from "vitest";
import type { CaseImage } from "../case_image";
import type { Point } from "../geometry/point";
import { BoxMask } from "../masks/mask";
import type { ModelRecord, ObjectOperation, ObjectState, Operation } from "../operations";
import { CaseEditor } from "./case_editor";

const WIDTH = 200;
const HEIGHT = 120;
const MODEL: ModelRecord = { name: "m", sha256: "a", adapter: null, adapter_sha256: null, score: 0.9 };

function rectangle(x: number, y: number, width: number, height: number): BoxMask {
  return new BoxMask(x, y, width, height, new Uint8Array(width * height).fill(1));
}

let editor: CaseEditor;
let sent: Operation[];

beforeEach(() => {
  editor = new CaseEditor(WIDTH, HEIGHT);
  sent = [];
  editor.onOperations = (operations) => sent.push(...operations);
});

function stroke(points: Point[], tool: "brush" | "eraser" = "brush"): boolean {
  if (!editor.beginStroke(tool, points[0]!)) return false;
  editor.extendStroke(points.slice(1));
  return editor.endStroke();
}

function maskSent(index: number): ObjectOperation & { kind: "mask" } {
  const operation = sent.at(index);
  if (operation?.kind !== "mask") throw new Error(`operation ${index} is ${operation?.kind}`);
  return operation;
}

const only = (x: number, y: number) => (id: string) => editor.object(id)?.mask.get(x, y);

describe("operations", () => {
  it("tell of a stroke with the whole mask, the path and what the hand painted", () => {
    const id = editor.create({ category: "11", mask: rectangle(10, 10, 20, 20) });
    editor.setBrush({ size: 8, shape: "square" });
    expect(
      stroke([
        [40, 20],
        [60.126, 20],
      ]),
    ).toBe(true);
    expect(sent.map(({ kind }) => kind)).toEqual(["create", "mask"]);
    expect(sent[0]).toMatchObject({ object: id, data: { category: "11", parent: null, source: "manual" } });
    const operation = maskSent(1);
    expect(operation.data).toEqual({
      tool: "brush",
      stroke: {
        shape: "square",
        size: 8,
        points: [
          [40, 20],
          [60.13, 20],
        ],
      },
    });
    expect(operation.mask.equals(editor.object(id)?.mask.snapshot() ?? BoxMask.empty())).toBe(true);
    expect(operation.painted).toEqual(rectangle(36, 16, 28, 8));
    expect(operation).not.toHaveProperty("erased");
    expect(operation.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.isInteger(operation.time)).toBe(true);
  });

  it("of undo and redo name what they take back and carry the mask before", () => {
    const id = editor.create({ mask: rectangle(10, 10, 20, 20) });
    editor.applyPrediction(id, {
      mask: rectangle(0, 0, 5, 5),
      tool: "click",
      prompts: { clicks: [[3, 3, 1]], box: null },
      model: MODEL,
    });
    expect(maskSent(-1).data).toEqual({ tool: "click", prompts: { clicks: [[3, 3, 1]], box: null }, model: MODEL });
    editor.undo();
    expect(maskSent(-1)).toMatchObject({
      undoes: sent.at(-2)?.id,
      data: { tool: "click", prompts: null, model: null },
    });
    expect(maskSent(-1).mask).toEqual(rectangle(10, 10, 20, 20));
    expect(editor.object(id)?.score).toBeNull();
    editor.redo();
    expect(maskSent(-1)).toMatchObject({ undoes: sent.at(-2)?.id, data: { model: MODEL } });
    expect(maskSent(-1).mask).toEqual(rectangle(0, 0, 5, 5));
    editor.undo();
    editor.undo();
    expect(sent.at(-1)).toMatchObject({ kind: "delete", undoes: sent[0]!.id, data: { deleted: true } });
    expect(editor.objects).toHaveLength(0);
    expect(editor.canUndo).toBe(false);
  });

  it("of each field", () => {
    const parent = editor.create();
    const id = editor.create();
    sent = [];
    editor.relabel(id, "36");
    editor.setParent(id, parent);
    editor.accept(id);
    editor.lock(id, true);
    editor.lock(id, false);
    editor.remove(id);
    expect(sent.map(({ kind, data }) => [kind, data])).toEqual([
      ["relabel", { category: "36" }],
      ["parent", { parent }],
      ["accept", { accepted: true }],
      ["lock", { locked: true }],
      ["lock", { locked: false }],
      ["delete", { deleted: true }],
    ]);
    expect(editor.activeId).toBeNull();
    editor.undo();
    expect(editor.activeId).toBe(id);
    expect(editor.object(id)).toMatchObject({ category: "36", parent, accepted: true, locked: false });
  });

  it("are not made for what changes nothing", () => {
    const id = editor.create({ category: "11" });
    sent = [];
    editor.relabel(id, "11");
    editor.accept(id, false);
    editor.setParent(id, id);
    editor.setParent(id, "nobody");
    expect(stroke([[-400, -400]])).toBe(false);
    expect(editor.fillHoles(id)).toBe(false);
    expect(sent).toEqual([]);
  });

  it("of a group come together and are one step", () => {
    const calls: number[] = [];
    editor.onOperations = (operations) => calls.push(operations.length);
    const id = editor.group(() => {
      const made = editor.create({ source: "model" });
      editor.applyPrediction(made, {
        mask: rectangle(5, 5, 5, 5),
        tool: "click",
        prompts: { clicks: [], box: null },
        model: MODEL,
      });
      editor.relabel(made, "21");
      return made;
    });
    expect(calls).toEqual([3]);
    editor.undo();
    expect(editor.objects).toHaveLength(0);
    expect(calls).toEqual([3, 3]);
    editor.redo();
    expect(editor.object(id)).toMatchObject({ category: "21", deleted: false, area: 25 });
  });

  it("put a new case in progress and tell of a status", () => {
    editor.setStatus("needs-review");
    expect(sent).toMatchObject([{ kind: "status", object: null, data: { status: "needs-review" } }]);
    const other = new CaseEditor(WIDTH, HEIGHT);
    other.create();
    expect(other.status).toBe("in-progress");
  });

  it("take a status back and set it again", () => {
    const id = editor.create({ mask: rectangle(10, 10, 5, 5) });
    editor.setStatus("done");
    const [done] = sent.slice(-1);
    expect(editor.undo()).toBe(true);
    expect(editor.status).toBe("in-progress");
    expect(sent.at(-1)).toMatchObject({ kind: "status", data: { status: "in-progress" }, undoes: done!.id });
    expect(editor.object(id)).toMatchObject({ deleted: false, area: 25 });
    expect(editor.redo()).toBe(true);
    expect(editor.status).toBe("done");
    expect(sent.at(-1)).toMatchObject({ kind: "status", data: { status: "done" } });
  });

  it("make a case that was closed while new, new again", () => {
    editor.setStatus("done");
    editor.undo();
    expect(editor.status).toBe("new");
    expect(sent.at(-1)).toMatchObject({ kind: "status", data: { status: "new" } });
  });

  it("do not take back a status that somebody else has set since", () => {
    editor.setStatus("done");
    editor.applyRemote([{ id: "theirs", time: 1, kind: "status", object: null, data: { status: "approved" } }]);
    expect(editor.undo()).toBe(false);
    expect(editor.status).toBe("approved");
  });
});

describe("modes", () => {
  function two(): [string, string] {
    const neighbour = editor.create({ mask: rectangle(50, 0, 50, 120) });
    const id = editor.create();
    editor.setBrush({ shape: "square", size: 20 });
    return [neighbour, id];
  }

  it("overlap leaves the others as they are", () => {
    const [neighbour, id] = two();
    stroke([[50, 60]]);
    expect([neighbour, id].map(only(55, 60))).toEqual([1, 1]);
    expect(editor.object(id)?.area).toBe(400);
    expect(editor.object(neighbour)?.area).toBe(6000);
  });

  it("protect paints around the others", () => {
    const [neighbour, id] = two();
    editor.setBrush({ mode: "protect" });
    stroke([[50, 60]]);
    expect(editor.object(id)?.area).toBe(200);
    expect(editor.object(id)?.painted.area).toBe(200);
    expect([neighbour, id].map(only(55, 60))).toEqual([1, 0]);
  });

  it("take removes the pixels from the others, in one step of undo", () => {
    const [neighbour, id] = two();
    editor.setBrush({ mode: "take" });
    sent = [];
    stroke([[50, 60]]);
    expect([neighbour, id].map(only(55, 60))).toEqual([0, 1]);
    expect(editor.object(neighbour)).toMatchObject({ area: 5800, erased: { area: 200 } });
    expect(sent.map((operation) => [operation.object, operation.kind === "mask" && operation.data.tool])).toEqual([
      [id, "brush"],
      [neighbour, "neighbour"],
    ]);
    expect(maskSent(1).mask.area).toBe(5800);
    editor.undo();
    expect([neighbour, id].map((each) => editor.object(each)?.area)).toEqual([6000, 0]);
    expect(sent).toHaveLength(5);
    editor.redo();
    expect([neighbour, id].map((each) => editor.object(each)?.area)).toEqual([5800, 400]);
  });

  it("take leaves a locked neighbour its pixels", () => {
    const [neighbour, id] = two();
    editor.lock(neighbour, true);
    editor.setBrush({ mode: "take" });
    stroke([[50, 60]]);
    expect([neighbour, id].map((each) => editor.object(each)?.area)).toEqual([6000, 200]);
  });

  it.each(["protect", "take"] as const)("%s does not hold between a tooth and its filling", (mode) => {
    const tooth = editor.create({ mask: rectangle(50, 0, 50, 120) });
    const filling = editor.create({ parent: tooth });
    editor.setBrush({ shape: "square", size: 20, mode });
    stroke([[70, 60]]);
    expect([tooth, filling].map((each) => editor.object(each)?.area)).toEqual([6000, 400]);
  });

  it("hold for the lasso too", () => {
    const [, id] = two();
    editor.setBrush({ mode: "protect" });
    expect(
      editor.lasso(
        [
          [40, 10],
          [60, 10],
          [60, 20],
          [40, 20],
        ],
        true,
      ),
    ).toBe(true);
    expect(editor.object(id)?.area).toBe(100);
  });
});

describe("a locked object", () => {
  it("is changed by nothing", () => {
    const id = editor.create({ category: "11", mask: rectangle(10, 10, 20, 20) });
    editor.lock(id, true);
    sent = [];
    expect(stroke([[15, 15]], "eraser")).toBe(false);
    expect(
      editor.lasso(
        [
          [0, 0],
          [50, 0],
          [50, 50],
        ],
        true,
      ),
    ).toBe(false);
    expect(editor.smooth(id)).toBe(false);
    expect(editor.dropIslands(id)).toBe(false);
    expect(
      editor.applyPrediction(id, {
        mask: rectangle(0, 0, 1, 1),
        tool: "click",
        prompts: { clicks: [], box: null },
        model: null,
      }),
    ).toBe(false);
    editor.relabel(id, "12");
    editor.remove(id);
    expect(sent).toEqual([]);
    expect(editor.object(id)).toMatchObject({ area: 400, category: "11", deleted: false });
  });
});

describe("the hand's word", () => {
  it("stands above the model's", () => {
    const id = editor.create({ mask: rectangle(40, 40, 20, 20) });
    editor.setBrush({ shape: "square", size: 6 });
    stroke([[20, 20]]);
    stroke([[50, 50]], "eraser");
    expect(maskSent(-1).erased).toEqual(rectangle(47, 47, 6, 6));
    editor.applyPrediction(id, {
      mask: rectangle(40, 40, 25, 25),
      tool: "refine",
      prompts: { clicks: [], box: null },
      model: MODEL,
    });
    expect([id].map(only(20, 20))).toEqual([1]);
    expect([id].map(only(50, 50))).toEqual([0]);
    expect(editor.object(id)?.area).toBe(625 - 36 + 36);
  });

  it("is its last one", () => {
    const id = editor.create();
    editor.setBrush({ shape: "square", size: 10 });
    stroke([[50, 50]]);
    stroke([[55, 50]], "eraser");
    expect(editor.object(id)).toMatchObject({ painted: { area: 50 }, erased: { area: 100 }, area: 50 });
    stroke([[50, 50]]);
    expect(editor.object(id)).toMatchObject({ painted: { area: 100 }, erased: { area: 50 }, area: 100 });
  });

  it("is withdrawn, not given, by smoothing", () => {
    const id = editor.create({ mask: rectangle(40, 40, 40, 40) });
    editor.setBrush({ shape: "square", size: 1 });
    stroke([
      [20, 60],
      [39, 60],
    ]);
    expect(editor.object(id)?.painted.area).toBe(20);
    expect(editor.smooth(id)).toBe(true);
    expect(editor.object(id)?.painted.area).toBeLessThan(20);
    expect(editor.object(id)?.erased.area).toBe(0);
  });

  it("since the model's answer is what a refinement starts from", () => {
    const id = editor.create();
    const predict = (mask: BoxMask) =>
      editor.applyPrediction(id, {
        mask,
        tool: "click",
        prompts: { clicks: [[50, 50, 1]], box: null },
        model: MODEL,
      });
    predict(rectangle(40, 40, 20, 20));
    expect(editor.lastCorrection(id)).toBeNull();
    editor.setBrush({ shape: "square", size: 10 });
    stroke([[80, 50]]);
    stroke([[90, 50]]);
    const correction = editor.lastCorrection(id);
    expect(correction?.before).toEqual(rectangle(40, 40, 20, 20));
    expect(correction?.after.area).toBe(600);
    predict(rectangle(40, 40, 50, 20));
    expect(editor.lastCorrection(id)).toBeNull();
    editor.undo();
    expect(editor.lastCorrection(id)?.before).toEqual(rectangle(40, 40, 20, 20));
    editor.undo();
    editor.undo();
    expect(editor.lastCorrection(id)).toBeNull();
  });
});

describe("the intensity-limited brush", () => {
  it("paints only values near the one it starts on", () => {
    const pixels = Uint16Array.from({ length: WIDTH * HEIGHT }, (_, index) => (index % WIDTH < 100 ? 20000 : 30000));
    const image: CaseImage = { width: WIDTH, height: HEIGHT, bits: 16, pixels, low: 0, high: 50000 };
    editor.setImage(image);
    const id = editor.create();
    editor.setBrush({ shape: "square", size: 20, limited: true, tolerance: 10 });
    stroke([
      [95, 60],
      [110, 60],
    ]);
    expect(editor.object(id)?.area).toBe(15 * 20);
    expect(maskSent(-1).data.stroke?.limited).toBe(true);
    editor.setWindow(0, 200000);
    stroke([
      [95, 60],
      [110, 60],
    ]);
    expect(editor.object(id)?.area).toBe(35 * 20);
  });
});

describe("a stroke", () => {
  it("costs the same at the last dab as at the first", () => {
    const large = new CaseEditor(3000, 1500);
    for (let index = 0; index < 32; index++) large.create({ mask: rectangle(80 * index, 200, 90, 400) });
    large.setBrush({ size: 40, mode: "take" });
    large.beginStroke("brush", [1000, 700]);
    const costs: number[] = [];
    const copied: number[] = [];
    for (let dab = 1; dab <= 800; dab++) {
      const before = large.strokeCost;
      large.extendStroke([[1000 + (dab % 100), 700]]);
      costs.push(large.strokeCost.visited - before.visited);
      copied.push(large.strokeCost.copied);
    }
    const inner = (from: number) => costs.slice(from, from + 99);
    expect(inner(700)).toEqual(inner(0));
    expect(copied[799]).toBe(copied[99]);
    expect(copied[799]).toBeLessThan(3 * 64 * 64 * 12);
    expect(large.endStroke()).toBe(true);
  });

  it("can be taken away while it is drawn", () => {
    const id = editor.create({ mask: rectangle(0, 0, 30, 30) });
    sent = [];
    editor.setBrush({ mode: "take" });
    editor.beginStroke("brush", [20, 20]);
    editor.extendStroke([[100, 20]]);
    editor.cancelStroke();
    expect(editor.object(id)).toMatchObject({ area: 900, painted: { area: 0 } });
    expect(sent).toEqual([]);
  });

  it("is finished, not lost, by whatever comes next", () => {
    const id = editor.create();
    editor.beginStroke("brush", [50, 50]);
    editor.relabel(id, "11");
    expect(sent.map(({ kind }) => kind)).toEqual(["create", "mask", "relabel"]);
    editor.beginStroke("brush", [90, 50]);
    editor.undo();
    expect(editor.object(id)?.mask.get(90, 50)).toBe(0);
    expect(editor.object(id)?.mask.get(50, 50)).toBe(1);
  });

  it("goes with the object it made, when it is that object's first mask", () => {
    editor.create();
    stroke([[50, 50]]);
    stroke([[90, 50]]);
    editor.undo();
    expect(editor.objects[0]!.mask.get(50, 50)).toBe(1);
    editor.undo();
    expect([editor.objects, editor.canUndo]).toEqual([[], false]);
    editor.redo();
    expect([editor.objects[0]!.mask.get(50, 50), editor.objects[0]!.mask.get(90, 50)]).toEqual([1, 0]);

    const second = editor.create();
    editor.relabel(second, "12");
    stroke([[150, 50]]);
    editor.undo();
    expect(editor.object(second)).toMatchObject({ deleted: false, category: "12", area: 0 });
  });

  it("tells the renderer of its own rectangles only", () => {
    editor.create();
    const areas: number[] = [];
    editor.onDirty((_, rect) => areas.push(rect === null ? Infinity : rect.width * rect.height));
    editor.setBrush({ size: 20 });
    const version = editor.version;
    editor.beginStroke("brush", [50, 50]);
    for (let step = 1; step <= 20; step++) editor.extendStroke([[50 + step, 50]]);
    expect(editor.version).toBe(version);
    expect(areas).toHaveLength(21);
    expect(Math.max(...areas)).toBeLessThan(25 * 25);
  });

  it("that takes from a neighbour tells of it only while it does", () => {
    const near = editor.create({ mask: rectangle(20, 0, 20, HEIGHT) });
    const far = editor.create({ mask: rectangle(120, 0, 20, HEIGHT) });
    editor.create();
    editor.setBrush({ size: 8, mode: "take" });
    const reported = new Map<string, number[]>();
    editor.beginStroke("brush", [4, 50]);
    for (let step = 1; step <= 18; step++) {
      const end = editor.onDirty((id) => reported.set(id, [...(reported.get(id) ?? []), step]));
      editor.extendStroke([[4 + 10 * step, 50]]);
      end();
    }
    expect(reported.get(near)).toEqual([2, 3, 4]);
    expect(reported.get(far)).toEqual([12, 13, 14]);
  });
});

describe("another's work", () => {
  const theirs = (operation: object) => ({ id: crypto.randomUUID(), time: 1, ...operation }) as Operation;

  it("is folded in, and no undo brings a stale mask back", () => {
    const id = editor.create();
    const other = editor.create();
    stroke([[50, 50]]);
    editor.setActive(id);
    stroke([[90, 50]]);
    editor.relabel(id, "11");
    editor.applyRemote([theirs({ kind: "mask", object: id, data: { tool: "brush" }, mask: rectangle(5, 5, 4, 4) })]);
    expect(editor.object(id)?.mask.snapshot()).toEqual(rectangle(5, 5, 4, 4));
    while (editor.canUndo) editor.undo();
    expect(editor.object(id)?.mask.snapshot()).toEqual(rectangle(5, 5, 4, 4));
    expect(editor.object(id)).toMatchObject({ category: null, deleted: false });
    expect(editor.object(other)).toMatchObject({ deleted: true, area: 0 });
  });

  it("brings new objects, takes others away and sets fields", () => {
    const id = editor.create({ category: "11" });
    const made = crypto.randomUUID();
    editor.applyRemote([
      theirs({
        kind: "create",
        object: made,
        data: { category: "12", parent: null, source: "model" },
        mask: rectangle(1, 1, 2, 2),
      }),
      theirs({ kind: "delete", object: id, data: { deleted: true } }),
      theirs({ kind: "status", object: null, data: { status: "done" } }),
    ]);
    expect(editor.objects.map((object) => [object.id, object.category, object.area])).toEqual([[made, "12", 4]]);
    expect(editor.activeId).toBeNull();
    expect(editor.status).toBe("done");
    expect(editor.canUndo).toBe(false);
  });

  it("is distinguished from own operations that come back", () => {
    const id = editor.create();
    stroke([[50, 50]]);
    const own = [...sent];
    stroke([[90, 50]]);
    editor.applyRemote(own);
    expect(editor.object(id)?.mask.get(90, 50)).toBe(1);
    expect(editor.undo()).toBe(true);
  });

  it("as a whole state replaces everything", () => {
    editor.create();
    const state: ObjectState = {
      id: crypto.randomUUID(),
      category: "48",
      parent: null,
      locked: false,
      accepted: true,
      deleted: false,
      source: "model",
      score: 0.9,
      model: MODEL,
      prompts: { clicks: [[1, 2, 1]], box: null },
      mask: rectangle(3, 4, 5, 6),
      painted: null,
      erased: rectangle(0, 0, 1, 1),
      area: 30,
      revision: 7,
      annotator: "anna",
      confidence: null,
      proposed: false,
      touches: [],
    };
    editor.load([state, { ...state, id: crypto.randomUUID(), deleted: true }], "done");
    expect(editor.objects.map(({ id }) => id)).toEqual([state.id]);
    expect(editor.objects[0]).toMatchObject({ score: 0.9, area: 30, erased: { area: 1 }, prompts: state.prompts });
    expect([editor.canUndo, editor.activeId, editor.status]).toEqual([false, null, "done"]);
    editor.setActive(state.id);
    stroke([[50, 50]]);
    editor.replaceObjects([state]);
    expect(editor.object(state.id)?.mask.snapshot()).toEqual(rectangle(3, 4, 5, 6));
    expect(editor.canUndo).toBe(false);
  });
});

describe("an accepted object", () => {
  const prompts = { clicks: [[3, 3, 1]] as [number, number, 1][], box: null };

  it.each([
    ["a stroke", () => stroke([[60, 20]])],
    [
      "a lasso",
      () =>
        editor.lasso(
          [
            [0, 0],
            [60, 0],
            [60, 60],
          ],
          true,
        ),
    ],
    ["tidying", () => editor.dropIslands()],
    [
      "the model",
      () =>
        editor.applyPrediction(editor.activeId ?? "", {
          mask: rectangle(0, 0, 5, 5),
          tool: "click",
          prompts,
          model: MODEL,
        }),
    ],
  ])("is so no longer once %s changed its mask, and undo brings both back", (_, change) => {
    const id = editor.create({ mask: rectangle(10, 10, 20, 20) });
    stroke([[150, 100]]);
    editor.accept(id);
    const accepted = editor.object(id)?.mask.snapshot();
    const steps = editor.undoSteps;
    sent = [];
    expect(change()).toBe(true);
    expect(editor.object(id)?.accepted).toBe(false);
    expect(editor.undoSteps).toBe(steps + 1);
    expect(sent.map(({ kind }) => kind)).toEqual(["mask", "accept"]);
    editor.undo();
    expect(editor.object(id)?.accepted).toBe(true);
    expect(editor.object(id)?.mask.snapshot()).toEqual(accepted);
    expect(sent.slice(2).map(({ kind, undoes }) => [kind, undoes])).toEqual([
      ["accept", sent[1]!.id],
      ["mask", sent[0]!.id],
    ]);
    editor.redo();
    expect(editor.object(id)?.accepted).toBe(false);
  });

  it("stays so where nothing changed, and is reported where a neighbour takes from it", () => {
    const id = editor.create({ mask: rectangle(10, 10, 20, 20) });
    editor.accept(id);
    editor.setBrush({ size: 8, mode: "take" });
    stroke([[20, 20]]);
    expect(editor.object(id)?.accepted).toBe(true);
    editor.create();
    stroke([[20, 20]]);
    expect(editor.object(id)?.accepted).toBe(false);
  });

  it("may be accepted in the step that changed it", () => {
    const id = editor.create({ mask: rectangle(10, 10, 20, 20) });
    editor.group(() => {
      stroke([[60, 60]]);
      editor.accept(id);
    });
    expect(editor.object(id)?.accepted).toBe(true);
  });
});

it("the object under a point is the smallest one that is shown", () => {
  const tooth = editor.create({ mask: rectangle(10, 10, 50, 50) });
  const filling = editor.create({ mask: rectangle(20, 20, 10, 10), parent: tooth });
  expect(editor.objectAt([25.5, 25.5])?.id).toBe(filling);
  expect(editor.objectAt([12.1, 25.5])?.id).toBe(tooth);
  editor.hide(filling, true);
  expect(editor.objectAt([25.5, 25.5])?.id).toBe(tooth);
  expect(editor.objectAt([150, 100])).toBeNull();
  expect(sent).toHaveLength(2);
});

describe("what is out of sight", () => {
  const block = (x: number) => new BoxMask(x, 10, 10, 10, new Uint8Array(100).fill(1));

  it("is shown when its mask changes: by the model, by the hand, by a neighbour's brush, and by undo", () => {
    const editor = new CaseEditor(80, 40);
    const neighbour = editor.create({ mask: block(30) });
    const id = editor.create({ mask: block(10) });
    const hidden = () => [id, neighbour].map((one) => editor.object(one)!.hidden);
    editor.hide(id, true);
    editor.applyPrediction(id, {
      mask: block(12),
      tool: "click",
      prompts: { clicks: [[13, 13, 1]], box: null },
      model: null,
    });
    expect(hidden()).toEqual([false, false]);
    editor.hide(id, true);
    editor.undo();
    expect(hidden()).toEqual([false, false]);
    editor.hide(neighbour, true);
    editor.setBrush({ mode: "take", size: 6 });
    editor.beginStroke("brush", [15, 15]);
    editor.extendStroke([[35, 15]]);
    editor.endStroke();
    expect(hidden()).toEqual([false, false]);
  });
});

describe("an object of which nothing came", () => {
  it("goes without a step of the history, and one with a mask stays", () => {
    const editor = new CaseEditor(80, 40);
    const sent: Operation[] = [];
    const kept = editor.create({ mask: new BoxMask(1, 1, 1, 1, new Uint8Array([1])) });
    editor.onOperations = (operations) => sent.push(...operations);
    const id = editor.create({ source: "model" });
    editor.relabel(id, "36");
    expect(editor.discard(id)).toBe(true);
    expect(editor.objects.map((object) => object.id)).toEqual([kept]);
    expect(editor.activeId).toBeNull();
    expect([editor.undoSteps, editor.canRedo]).toEqual([1, false]);
    expect(sent.map(({ kind }) => kind)).toEqual(["create", "relabel", "delete"]);
    expect(editor.discard(kept)).toBe(false);
    expect(editor.discard(id)).toBe(false);
  });
});
