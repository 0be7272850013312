import type { Point } from "../geometry/point";
import { isEmpty, type Rect } from "../geometry/rect";
import { CaseObject } from "./case_object";

/** The objects of one case, which of them is active, and the listeners to their changes. */
export class CaseObjects {
  /** While true no listener is called. */
  quiet = false;
  private readonly all = new Map<string, CaseObject>();
  private readonly listeners = new Set<() => void>();
  private readonly dirtyListeners = new Set<(id: string, rect: Rect | null) => void>();
  private shown: CaseObject[] = [];
  private changes = 0;
  private current: string | null = null;
  private created = 0;

  constructor(
    private readonly width: number,
    private readonly height: number,
  ) {}

  /** Grows with every change except the single moves of a running stroke. */
  get version(): number {
    return this.changes;
  }

  /** Calls back after each change that `version` counts. Returns the function that ends it. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Called with the pixels that changed, within a stroke too; null: the whole mask, or the object came or went. */
  onDirty(listener: (id: string, rect: Rect | null) => void): () => void {
    this.dirtyListeners.add(listener);
    return () => this.dirtyListeners.delete(listener);
  }

  /** Those that are not deleted, oldest first. A new array after every change. */
  get list(): readonly CaseObject[] {
    return this.shown;
  }

  /** Also a deleted one. */
  get(id: string): CaseObject | undefined {
    return this.all.get(id);
  }

  /** One that may be changed. */
  editable(id: string | null): CaseObject | null {
    const object = id === null ? undefined : this.all.get(id);
    return object === undefined || object.deleted || object.locked ? null : object;
  }

  othersThan(object: CaseObject): CaseObject[] {
    return this.shown.filter((other) => other !== object);
  }

  /** The smallest visible object at an image point. */
  at(point: Point): CaseObject | null {
    const x = Math.floor(point[0]);
    const y = Math.floor(point[1]);
    const there = this.shown.filter((object) => !object.hidden && object.mask.get(x, y) === 1);
    return there.reduce<CaseObject | null>(
      (best, object) => (best && best.area <= object.area ? best : object),
      null,
    );
  }

  /** A new one, still blank. */
  add(id: string): CaseObject {
    const object = new CaseObject(id, this.created++, this.width, this.height);
    this.all.set(id, object);
    return object;
  }

  /** Removes all of them. Returns their ids. */
  clear(): string[] {
    const gone = [...this.all.keys()];
    this.all.clear();
    return gone;
  }

  get activeId(): string | null {
    return this.current;
  }

  get active(): CaseObject | null {
    return this.current === null ? null : (this.all.get(this.current) ?? null);
  }

  /** Calls no listener. */
  activate(id: string | null): void {
    this.current = id;
  }

  /** To be called after changes: a deleted object is no longer active. */
  settle(): void {
    if (this.active === null || this.active.deleted) this.current = null;
    this.changed();
  }

  changed(): void {
    this.shown = [...this.all.values()].filter((object) => !object.deleted);
    this.changes++;
    if (this.quiet) return;
    for (const listener of [...this.listeners]) listener();
  }

  dirty(id: string, rect: Rect | null): void {
    if (rect !== null && isEmpty(rect)) return;
    for (const listener of [...this.dirtyListeners]) listener(id, rect);
  }
}
