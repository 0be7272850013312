import * as client from "../../api/client";
import type { NumberedObject, ObjectToNumber } from "../../api/types";
import type { CaseEditor, CaseObject } from "../../engine/editing/case_editor";
import { sharedPixels } from "../../engine/masks/overlap";
import type { Operation } from "../../engine/operations";
import { isTooth } from "../labels/fdi";

export type Offer = NumberedObject["offers"][number];
export type Offers = ReadonlyMap<string, readonly Offer[]>;

/** After so many milliseconds without a further change of the object. */
const PAUSE_MS = 120;
/** What lies in a tooth with this share of its pixels is a filling or a lesion, and gets no offer. */
const INSIDE_SHARE = 0.5;

/**
 * Offers of numbers for objects that have a mask and no label yet. They are asked for when the mask is there already, so that
 * no mask waits for them; an answer for an object that was labelled meanwhile is dropped.
 */
export class NumberOffers {
  private found = new Map<string, readonly Offer[]>();
  private readonly asked = new Map<string, { timer: ReturnType<typeof setTimeout>; abort: AbortController }>();

  constructor(
    private readonly caseId: number,
    private readonly editor: CaseEditor,
    private readonly changed: (offers: Offers) => void,
    private readonly server: Pick<typeof client, "number"> = client,
    private readonly pause = PAUSE_MS,
  ) {}

  /** To be called with every operation made in the editor. */
  noteEdits(operations: readonly Operation[]): void {
    for (const { kind, object: id } of operations) {
      if (id === null) continue;
      const object = this.editor.object(id);
      if (object === undefined || object.deleted || object.category !== null) this.drop(id);
      else if (kind === "mask") this.ask(id);
    }
  }

  cancelAll(): void {
    for (const id of [...this.asked.keys()]) this.drop(id);
  }

  private drop(id: string): void {
    const asked = this.asked.get(id);
    if (asked) {
      clearTimeout(asked.timer);
      asked.abort.abort();
      this.asked.delete(id);
    }
    if (this.found.has(id)) this.set(id, []);
  }

  private ask(id: string): void {
    const before = this.asked.get(id);
    if (before) {
      clearTimeout(before.timer);
      before.abort.abort();
    }
    const abort = new AbortController();
    this.asked.set(id, { abort, timer: setTimeout(() => void this.send(id, abort), this.pause) });
  }

  private async send(id: string, abort: AbortController): Promise<void> {
    const object = this.editor.object(id);
    if (!object || object.area === 0 || this.isPart(object)) return;
    try {
      const { objects } = await this.server.number(this.caseId, this.question(object), abort.signal);
      if (abort.signal.aborted || object.deleted || object.category !== null) return;
      this.set(id, objects.find((one) => one.id === id)?.offers ?? []);
    } catch {
      // Without an offer the number is typed, as ever.
    } finally {
      if (this.asked.get(id)?.abort === abort) this.asked.delete(id);
    }
  }

  /** The object without a number, beside all teeth: with theirs where a person gave or accepted it. */
  private question(object: CaseObject): ObjectToNumber[] {
    const teeth = this.editor.objects.filter(
      ({ category, area }) => area > 0 && category !== null && (isTooth(category) || category === "implant"),
    );
    return [
      { id: object.id, box: boxOf(object) },
      ...teeth.map((tooth) => ({ id: tooth.id, box: boxOf(tooth), number: tooth.proposed ? null : tooth.category })),
    ];
  }

  private isPart(object: CaseObject): boolean {
    return this.editor.objects.some(
      (other) =>
        other !== object &&
        other.area > object.area &&
        sharedPixels(object.mask, other.mask) >= INSIDE_SHARE * object.area,
    );
  }

  private set(id: string, offers: readonly Offer[]): void {
    const found = new Map(this.found);
    if (offers.length === 0) found.delete(id);
    else found.set(id, offers);
    this.found = found;
    this.changed(found);
  }
}

/** x0, y0, x1, y1 in image pixels. */
function boxOf(object: CaseObject): [number, number, number, number] {
  const { x, y, width, height } = object.mask.snapshot();
  return [x, y, x + width, y + height];
}
