import type { CaseImage } from "../case_image";
import { type Equalisation, equaliseInSlices } from "./clahe";
import type { Renderer } from "./renderer";

/** Equalises the picture for the renderer; a new request replaces the one under way. */
export class EqualisedPicture {
  private settings: Equalisation | null = null;
  private underway: AbortController | null = null;

  /** `changed` is called when the renderer has another picture to show. */
  constructor(
    private readonly renderer: Renderer,
    private readonly changed: () => void,
  ) {}

  /** Equalises `image` with `settings`; null: shows the picture itself. Resolves when the renderer has the result. */
  async set(settings: Equalisation | null, image: CaseImage | null): Promise<void> {
    this.abort();
    this.settings = settings;
    if (settings === null || image === null) return this.show(null);
    const turn = new AbortController();
    this.underway = turn;
    try {
      const pixels = await equaliseInSlices(image, settings, turn.signal);
      if (!turn.signal.aborted) this.show(pixels);
    } catch (error) {
      if (!turn.signal.aborted) throw error;
    }
  }

  /** Equalises another image with the present settings. */
  async setImage(image: CaseImage | null): Promise<void> {
    if (this.settings !== null) await this.set(this.settings, image);
  }

  abort(): void {
    this.underway?.abort();
  }

  private show(pixels: Uint8Array | Uint16Array | null): void {
    this.renderer.setEqualised(pixels);
    this.changed();
  }
}
