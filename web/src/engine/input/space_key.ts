/** Whether Space is down, whatever has the focus. */
export class SpaceKey {
  private held = false;

  constructor(private readonly changed: (down: boolean) => void) {
    window.addEventListener("keydown", this.key, true);
    window.addEventListener("keyup", this.key, true);
    window.addEventListener("blur", this.lost);
  }

  get down(): boolean {
    return this.held;
  }

  dispose(): void {
    window.removeEventListener("keydown", this.key, true);
    window.removeEventListener("keyup", this.key, true);
    window.removeEventListener("blur", this.lost);
  }

  private readonly key = (event: KeyboardEvent): void => {
    if (event.code === "Space") this.set(event.type === "keydown");
  };

  private readonly lost = (): void => this.set(false);

  private set(down: boolean): void {
    if (down === this.held) return;
    this.held = down;
    this.changed(down);
  }
}
