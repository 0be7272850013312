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
/** A request takes 256 objects, the teeth with a number among them. */
const MAX_TOGETHER = 128;
/** What lies in a tooth with this share of its pixels is a filling or a lesion, and gets no offer. */
const INSIDE_SHARE = 0.5;

/**
 * Offers of numbers for objects that have a mask and no label yet. They are asked for when the mask is there already, so that
 * no mask waits for them; an answer for an object that was labelled meanwhile is dropped.
 */
export class NumberOffers {
  private found = new Map<string, readonly Offer[]>();
  private readonly asked = new Map<string, { timer: ReturnType<typeof setTimeout>; abort: AbortController }>();
  /** For all unlabelled objects together. */
  private readonly all = new AbortController();
  private again: ReturnType<typeof setTimeout> | undefined;
  /** Grows with every edit: an answer about all objects as they were before is not used. */
  private edits = 0;

  constructor(
    private readonly caseId: number,
    private readonly editor: CaseEditor,
    private readonly changed: (offers: Offers) => void,
    private readonly server: Pick<typeof client, "number"> = client,
    private readonly pause = PAUSE_MS,
  ) {}

  /** To be called with every operation made in the editor. */
  noteEdits(operations: readonly Operation[]): void {
    this.edits += 1;
    for (const { kind, object: id } of operations) {
      if (id === null) continue;
      const object = this.editor.object(id);
      if (object === undefined || object.deleted || object.category !== null) {
        this.drop(id);
        // Its number is taken now, or free again: what the others are offered may be another one.
        this.askForAll();
      } else if (kind === "mask") this.ask(id);
    }
  }

  /** To be called when the case is shown: objects without a label, such as imported ones, get their offers together. */
  askForAll(): void {
    clearTimeout(this.again);
    this.again = setTimeout(() => void this.sendAll(), this.pause);
  }

  private async sendAll(): Promise<void> {
    const { edits } = this;
    const unlabelled = this.editor.objects
      .filter((object) => object.category === null && object.area > 0 && !this.isPart(object))
      .slice(0, MAX_TOGETHER);
    if (unlabelled.length === 0) return;
    const found = await this.offersFor(unlabelled, this.all.signal);
    if (found && edits === this.edits) for (const { id } of unlabelled) this.set(id, found.get(id) ?? []);
  }

  cancelAll(): void {
    clearTimeout(this.again);
    this.all.abort();
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
    if (!object || object.area === 0 || this.isPart(object)) return this.drop(id);
    const found = await this.offersFor([object], abort.signal);
    if (this.asked.get(id)?.abort === abort) this.asked.delete(id);
    if (found && !object.deleted && object.category === null) this.set(id, found.get(id) ?? []);
  }

  /** Null where the model does not answer, or nobody waits for it any more: then the number is typed, as ever. */
  private async offersFor(objects: readonly CaseObject[], signal: AbortSignal): Promise<Offers | null> {
    try {
      const answer = await this.server.number(this.caseId, this.question(objects), signal);
      return signal.aborted ? null : new Map(answer.objects.map(({ id, offers }) => [id, offers]));
    } catch {
      return null;
    }
  }

  /** Objects without a number, beside all teeth: with theirs where a person gave or accepted it. */
  private question(unlabelled: readonly CaseObject[]): ObjectToNumber[] {
    const teeth = this.editor.objects.filter(
      ({ category, area }) => area > 0 && category !== null && (isTooth(category) || category === "implant"),
    );
    return [
      ...unlabelled.map((object) => ({ id: object.id, box: boxOf(object) })),
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
