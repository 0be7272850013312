import { describe, expect, it } from "vitest";
import type { Point } from "../geometry/point";
import { type Bitmask, BoxMask } from "../masks/mask";
import type { ObjectState, Operation, Prompts } from "../operations";
import { seeded } from "../seeded_random.testing";
import { CaseEditor } from "./case_editor";

const WIDTH = 120;
const HEIGHT = 90;

/** All that undo must bring back, masks bit by bit. */
function everything(editor: CaseEditor, ids: readonly string[]): string {
  const whole = { x: 0, y: 0, width: WIDTH, height: HEIGHT };
  const bits = (mask: Bitmask) => new TextDecoder("latin1").decode(mask.copy(whole).bits);
  const parts = ids.map((id) => {
    const object = editor.object(id);
    if (object === undefined || object.deleted) return "gone";
    const { category, parent, locked, accepted, prompts, model, mask, painted, erased } = object;
    expect(mask.area).toBe(mask.snapshot().area);
    return (
      JSON.stringify({ category, parent, locked, accepted, prompts, model }) +
      bits(mask) +
      bits(painted) +
      bits(erased)
    );
  });
  return parts.join("|");
}

/** One random action of any kind; most of them change something. */
function act(editor: CaseEditor, random: () => number, ids: string[]): void {
  const whole = (limit: number) => Math.floor(random() * limit);
  const point = (): Point => [random() * WIDTH, random() * HEIGHT];
  const blob = (): BoxMask => {
    const [width, height] = [1 + whole(50), 1 + whole(40)];
    const bits = Uint8Array.from({ length: width * height }, () => (random() < 0.8 ? 1 : 0));
    return new BoxMask(whole(WIDTH - width), whole(HEIGHT - height), width, height, bits);
  };
  const prompts = (): Prompts => ({ clicks: [[whole(WIDTH), whole(HEIGHT), random() < 0.5 ? 1 : 0]], box: null });
  const model = { name: "m", sha256: "s", adapter: null, adapter_sha256: null, score: random() };
  const some = ids[whole(ids.length)];
  editor.setActive(ids[whole(ids.length)] ?? null);
  editor.setBrush({
    size: 1 + whole(40),
    shape: random() < 0.5 ? "round" : "square",
    mode: (["overlap", "protect", "take"] as const)[whole(3)],
    limited: random() < 0.2,
  });
  switch (whole(15)) {
    case 0:
      if (ids.length < 10) ids.push(editor.create(random() < 0.5 ? { mask: blob() } : {}));
      break;
    case 1:
    case 2:
    case 3:
    case 4:
      editor.beginStroke(random() < 0.6 ? "brush" : "eraser", point());
      for (let move = whole(6); move > 0; move--) editor.extendStroke([point(), point()]);
      if (random() < 0.1) editor.cancelStroke();
      editor.endStroke();
      break;
    case 5:
      editor.lasso([point(), point(), point(), point()], random() < 0.6);
      break;
    case 6:
      [
        () => editor.fillHoles(),
        () => editor.dropIslands(),
        () => editor.dropIslands(undefined, 9),
        () => editor.smooth(),
      ][whole(4)]!();
      break;
    case 7:
    case 8: {
      const [mask, other] = [blob(), blob()];
      const tool = random() < 0.5 ? "click" : "refine";
      const choices = [mask, other].map((each) => ({ mask: each, model }));
      if (some) editor.applyPrediction(some, { mask, tool, prompts: prompts(), model, choices });
      break;
    }
    case 9:
      if (some) editor.relabel(some, String(11 + whole(8)));
      break;
    case 10:
      if (some) editor.accept(some, random() < 0.6);
      break;
    case 11:
      if (some) editor.lock(some, !editor.object(some)?.locked && random() < 0.3);
      break;
    case 12:
      if (some && random() < 0.2) editor.remove(some);
      break;
    case 13:
      if (random() < 0.5) editor.setParent(some ?? "", ids[whole(ids.length)] ?? null);
      else
        editor.group(() =>
          [1, 2].forEach(() => {
            if (some) editor.applyPrediction(some, { mask: blob(), tool: "refine", prompts: prompts(), model });
          }),
        );
      break;
    case 14: {
      const open = ids.find((id) => editor.object(id)?.choices);
      if (open !== undefined) editor.choose(open, whole(2));
      break;
    }
  }
}

function withImage(seed: number): { editor: CaseEditor; random: () => number } {
  const random = seeded(seed);
  const pixels = Uint8Array.from({ length: WIDTH * HEIGHT }, () => Math.floor(random() * 256));
  return {
    editor: new CaseEditor(WIDTH, HEIGHT, { width: WIDTH, height: HEIGHT, bits: 8, pixels, low: 0, high: 255 }),
    random,
  };
}

describe("undo and redo", () => {
  it.each([21, 22])(
    "lead through every state of a random session back and forth (seed %i)",
    (seed) => {
      const { editor, random } = withImage(seed);
      const ids: string[] = [];
      const operations: Operation[] = [];
      editor.onOperations = (made) => operations.push(...made);
      const states = [everything(editor, [])];
      for (let round = 0; round < 1000 && states.length < 90; round++) {
        const before = operations.length;
        act(editor, random, ids);
        if (operations.length === before) continue;
        // A new object's first mask is one step with the object.
        if (editor.undoSteps < states.length) states.pop();
        states.push(everything(editor, ids));
        // Now and then some steps back and forth in between.
        if (random() < 0.1) {
          const back = Math.floor(random() * 5);
          for (let step = 0; step < back; step++) editor.undo();
          for (let step = 0; step < back; step++) editor.redo();
          expect(everything(editor, ids)).toBe(states.at(-1));
        }
      }
      expect(states.length).toBe(90);
      const at = (index: number) => states[index]!.split("|");
      const now = () => everything(editor, ids).split("|");
      for (let index = states.length - 2; index >= 0; index--) {
        expect(editor.undo()).toBe(true);
        const expected = index === 0 ? [] : at(index);
        now().forEach((object, place) => {
          if (object !== (expected[place] ?? "gone")) expect(`object ${place} at ${index}`).toBe("as it was");
        });
      }
      expect(editor.undo()).toBe(false);
      for (let index = 1; index < states.length; index++) {
        expect(editor.redo()).toBe(true);
        now().forEach((object, place) => {
          if (object !== (at(index)[place] ?? "gone")) expect(`object ${place} at ${index}`).toBe("as it was");
        });
      }
      expect(editor.redo()).toBe(false);
    },
    20_000,
  );

  it("emit what, folded by another page, is the same case", () => {
    const { editor, random } = withImage(31);
    const ids: string[] = [];
    const other = new CaseEditor(WIDTH, HEIGHT);
    const log: Operation[] = [];
    editor.onOperations = (made) => log.push(...made);
    for (let round = 0; round < 120; round++) {
      const share = random();
      if (share < 0.15) editor.undo();
      else if (share < 0.25) editor.redo();
      else act(editor, random, ids);
      other.applyRemote(log.splice(0));
      if (round % 10 === 9) expect(everything(other, ids) === everything(editor, ids)).toBe(true);
    }
    const known = new Set(log.map(({ id }) => id));
    expect(known.size).toBe(log.length);
  }, 20_000);

  it("keep the hand's word and the mask in agreement", () => {
    const { editor, random } = withImage(41);
    const ids: string[] = [];
    for (let round = 0; round < 200; round++) {
      if (random() < 0.15) editor.undo();
      else act(editor, random, ids);
      for (const object of editor.objects) {
        const mask = object.mask;
        const [painted, erased] = [object.painted.snapshot(), object.erased.snapshot()];
        for (let y = 0; y < painted.height; y++) {
          for (let x = 0; x < painted.width; x++) {
            if (painted.bits[y * painted.width + x] === 1 && mask.get(painted.x + x, painted.y + y) === 0)
              expect("painted").toBe("within");
          }
        }
        for (let y = 0; y < erased.height; y++) {
          for (let x = 0; x < erased.width; x++) {
            if (erased.bits[y * erased.width + x] === 1 && mask.get(erased.x + x, erased.y + y) === 1)
              expect("erased").toBe("without");
          }
        }
      }
    }
  }, 20_000);

  it("are at least 200 deep", () => {
    const editor = new CaseEditor(WIDTH, HEIGHT);
    const id = editor.create();
    editor.setBrush({ size: 3 });
    for (let dab = 0; dab < 250; dab++) {
      editor.beginStroke("brush", [(dab * 7) % WIDTH, (dab * 13) % HEIGHT]);
      editor.endStroke();
    }
    let steps = 0;
    while (editor.undo()) steps++;
    expect(steps).toBe(250);
    expect(editor.object(id)).toMatchObject({ area: 0, deleted: true });
  });

  it("never touch another case", () => {
    const [one, two] = [new CaseEditor(WIDTH, HEIGHT), new CaseEditor(WIDTH, HEIGHT)];
    one.create();
    two.create();
    one.beginStroke("brush", [50, 50]);
    one.endStroke();
    expect(two.undo()).toBe(true);
    expect(two.undo()).toBe(false);
    expect(one.active?.area).toBeGreaterThan(0);
    const states: ObjectState[] = [];
    one.load(states);
    expect(one.canUndo).toBe(false);
  });
});
