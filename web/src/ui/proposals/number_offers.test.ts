import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Numbers, ObjectToNumber } from "../../api/types";
import { CaseEditor } from "../../engine/editing/case_editor";
import { BoxMask } from "../../engine/masks/mask";
import { NumberOffers, type Offers } from "./number_offers";

const block = (x: number, y: number, width: number, height: number) =>
  new BoxMask(x, y, width, height, new Uint8Array(width * height).fill(1));
const prediction = (mask: BoxMask) => ({
  mask,
  tool: "click" as const,
  prompts: { clicks: [], box: null },
  model: null,
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Asked = { objects: ObjectToNumber[]; signal?: AbortSignal }[];

function server(asked: Asked, answer = [{ number: "36", confidence: 0.9 }]) {
  return {
    number: async (_: number, objects: ObjectToNumber[], signal?: AbortSignal): Promise<Numbers> => {
      asked.push({ objects, signal });
      await new Promise((resolve) => setTimeout(resolve, 100));
      const unlabelled = objects.filter(({ number }) => number === undefined);
      return { objects: unlabelled.map(({ id }) => ({ id, offers: answer })), seconds: 0.01 };
    },
  };
}

function running(answer?: { number: string; confidence: number }[]) {
  const asked: Asked = [];
  const editor = new CaseEditor(200, 100);
  editor.create({ id: "tooth", category: "35", mask: block(10, 20, 30, 40) });
  editor.create({ id: "lesion", category: "caries", mask: block(12, 22, 5, 5) });
  let offers: Offers = new Map();
  const number = new NumberOffers(7, editor, (found) => (offers = found), server(asked, answer), 20);
  editor.onOperations = (operations) => number.noteEdits(operations);
  return { asked, editor, number, offered: (id: string) => offers.get(id)?.map((offer) => offer.number) };
}

describe("offers of numbers", () => {
  it("are asked for when the mask is there, from the boxes and numbers of all teeth", async () => {
    const { asked, editor, offered } = running();
    const id = editor.create({ source: "model" });
    await vi.advanceTimersByTimeAsync(500);
    expect(asked).toEqual([]);
    editor.applyPrediction(id, prediction(block(50, 20, 30, 40)));
    expect(asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(500);
    expect(asked.map(({ objects }) => objects)).toEqual([
      [
        { id, box: [50, 20, 80, 60] },
        { id: "tooth", box: [10, 20, 40, 60], number: "35" },
      ],
    ]);
    expect(offered(id)).toEqual(["36"]);
  });

  it("come together for all unlabelled objects of a case that opens", async () => {
    const { asked, editor } = running();
    const first = editor.create({ mask: block(50, 20, 30, 40) });
    const second = editor.create({ mask: block(90, 20, 30, 40) });
    editor.create({ mask: block(15, 30, 6, 6) }); // within the tooth
    editor.create({}); // without a mask
    const again = new NumberOffers(7, editor, (found) => (offers = found), server(asked), 20);
    let offers: Offers = new Map();
    editor.onOperations = (operations) => again.noteEdits(operations);
    again.askForAll();
    await vi.advanceTimersByTimeAsync(500);
    expect(asked.map(({ objects }) => objects.map(({ id }) => id))).toEqual([[first, second, "tooth"]]);
    expect([...offers.keys()]).toEqual([first, second]);
    // Once one of them has a number, the other is asked for again: it may not get the same.
    editor.relabel(second, "37");
    expect([...offers.keys()]).toEqual([first]);
    await vi.advanceTimersByTimeAsync(500);
    expect(asked[1]?.objects).toEqual([
      { id: first, box: [50, 20, 80, 60] },
      { id: "tooth", box: [10, 20, 40, 60], number: "35" },
      { id: second, box: [90, 20, 120, 60], number: "37" },
    ]);
    expect([...offers.keys()]).toEqual([first]);
  });

  it("about objects as they were before an edit are not used", async () => {
    const { asked, editor } = running();
    const id = editor.create({ mask: block(50, 20, 30, 40) });
    let offers: Offers = new Map();
    const again = new NumberOffers(7, editor, (found) => (offers = found), server(asked), 20);
    editor.onOperations = (operations) => again.noteEdits(operations);
    again.askForAll();
    await vi.advanceTimersByTimeAsync(50);
    editor.relabel("tooth", "34");
    await vi.advanceTimersByTimeAsync(60);
    expect(offers.size).toBe(0);
    await vi.advanceTimersByTimeAsync(500);
    expect([...offers.keys()]).toEqual([id]);
    expect(asked.at(-1)?.objects[1]).toMatchObject({ id: "tooth", number: "34" });
  });

  it("are not asked for where every object has a label", async () => {
    const { asked, number } = running();
    number.askForAll();
    await vi.advanceTimersByTimeAsync(500);
    expect(asked).toEqual([]);
  });

  it("of a case that was left are dropped", async () => {
    const { asked, editor } = running();
    editor.create({ mask: block(50, 20, 30, 40) });
    let offers: Offers = new Map();
    const again = new NumberOffers(7, editor, (found) => (offers = found), server(asked), 20);
    again.askForAll();
    again.cancelAll();
    await vi.advanceTimersByTimeAsync(500);
    expect(offers.size).toBe(0);
  });

  it("go with a label, and come again when it is taken away and the mask changes", async () => {
    const { editor, offered } = running();
    const id = editor.create({ source: "model" });
    editor.applyPrediction(id, prediction(block(50, 20, 30, 40)));
    await vi.advanceTimersByTimeAsync(500);
    editor.relabel(id, "37");
    expect(offered(id)).toBeUndefined();
    editor.relabel(id, null);
    editor.applyPrediction(id, prediction(block(51, 20, 30, 40)));
    await vi.advanceTimersByTimeAsync(500);
    expect(offered(id)).toEqual(["36"]);
    editor.remove(id);
    expect(offered(id)).toBeUndefined();
  });

  it("are dropped where the object was labelled before the answer, or the case was left", async () => {
    const { asked, editor, number, offered } = running();
    const [first, second] = [editor.create({ source: "model" }), editor.create({ source: "model" })];
    for (const [place, id] of [first, second].entries())
      editor.applyPrediction(id, prediction(block(50 + 40 * place, 20, 30, 40)));
    await vi.advanceTimersByTimeAsync(50);
    expect(asked).toHaveLength(2);
    editor.relabel(first, "36");
    number.cancelAll();
    await vi.advanceTimersByTimeAsync(500);
    expect(asked.every(({ signal }) => signal?.aborted)).toBe(true);
    expect([offered(first), offered(second)]).toEqual([undefined, undefined]);
  });

  it("are asked for once for changes in quick succession, and not for what lies in a tooth", async () => {
    const { asked, editor } = running();
    const id = editor.create({ source: "model" });
    for (const width of [20, 25, 30]) editor.applyPrediction(id, prediction(block(50, 20, width, 40)));
    const filling = editor.create({ source: "model" });
    editor.applyPrediction(filling, prediction(block(20, 30, 8, 8)));
    await vi.advanceTimersByTimeAsync(500);
    expect(asked.map(({ objects }) => objects[0])).toEqual([{ id, box: [50, 20, 80, 60] }]);
  });
});
