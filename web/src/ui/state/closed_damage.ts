import type { DamagedPart } from "../../api/types";

type Kept = Pick<Storage, "getItem" | "setItem">;

/** Notices of damage that one annotator has closed in one workspace. The browser keeps them. */
export class ClosedDamage {
  /** What was damaged when the notice was closed, by case. */
  private readonly closed: Map<number, ReadonlySet<string>>;
  private readonly name: string;

  constructor(
    workspace: string,
    annotator: string,
    private readonly storage: Kept = localStorage,
  ) {
    this.name = `dentasam/closed-damage/${workspace}/${annotator}`;
    this.closed = this.read();
  }

  /** What a notice about the case has to show: all that is damaged if some of it is new, else nothing. */
  notice(id: number, damaged: readonly DamagedPart[]): readonly DamagedPart[] {
    const known = this.closed.get(id);
    // What was mended is new when it is damaged again.
    if (damaged.length === 0 && this.closed.delete(id)) this.write();
    return damaged.every((part) => known?.has(keyOf(part))) ? [] : damaged;
  }

  close(id: number, damaged: readonly DamagedPart[]): void {
    this.closed.set(id, new Set(damaged.map(keyOf)));
    this.write();
  }

  private read(): Map<number, ReadonlySet<string>> {
    try {
      const stored = JSON.parse(this.storage.getItem(this.name) ?? "[]") as [number, string[]][];
      return new Map(stored.map(([id, parts]) => [id, new Set(parts)]));
    } catch {
      // The storage is damaged or forbidden: all notices are shown.
      return new Map();
    }
  }

  private write(): void {
    try {
      this.storage.setItem(this.name, JSON.stringify([...this.closed].map(([id, parts]) => [id, [...parts]])));
    } catch {
      // The storage is full: what was closed is known until the page is loaded again.
    }
  }
}

const keyOf = ({ object, what }: DamagedPart): string => `${object ?? ""} ${what}`;
