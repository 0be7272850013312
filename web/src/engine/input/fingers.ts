import type { View } from "../geometry/view";

/** A place on the stage in CSS pixels. */
export interface Place {
  x: number;
  y: number;
}

/** The fingers on the stage, and what two of them do with the view. */
export class Fingers {
  private readonly places = new Map<number, Place>();

  get count(): number {
    return this.places.size;
  }

  has(id: number): boolean {
    return this.places.has(id);
  }

  put(id: number, place: Place): void {
    this.places.set(id, place);
  }

  lift(id: number): void {
    this.places.delete(id);
  }

  clear(): void {
    this.places.clear();
  }

  /** Moves a finger; the first two fingers move and zoom the view. */
  pinch(id: number, place: Place, view: View): void {
    const [first, second] = this.places.values();
    this.places.set(id, place);
    const [firstNow, secondNow] = this.places.values();
    if (!first || !second || !firstNow || !secondNow) return;
    const [from, to] = [middle(first, second), middle(firstNow, secondNow)];
    view.pan(to.x - from.x, to.y - from.y);
    view.zoomAt(to.x, to.y, distance(firstNow, secondNow) / distance(first, second));
  }
}

function middle(a: Place, b: Place): Place {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function distance(a: Place, b: Place): number {
  return Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
}
