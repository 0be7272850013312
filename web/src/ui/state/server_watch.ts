import * as client from "../../api/client";
import { ApiError } from "../../api/errors";
import type { Picture, Progress, Session } from "../../api/types";
import { Store } from "./store";

/** `shut`: the token opens nothing any more; `foreign`: another workspace answers; `other`: another annotator is signed in. */
export type Link = "open" | "away" | "shut" | "signed-out" | "foreign" | "other";

/** The file of the open case holds another picture than the screen shows. */
export interface PictureNews {
  id: number;
  /** Why the new one cannot be shown; null where it can. */
  problem: string | null;
}

interface Watched {
  link: Link;
  picture: PictureNews | null;
}

export interface Shown {
  id: number;
  picture: string | undefined;
}

export interface WatchHooks {
  /** The picture on the screen. */
  shown(): Shown | null;
  progressed(progress: Progress): void;
  /** What the file of a case holds now. */
  holds(id: number, picture: string): void;
  /** The server answers again. */
  back(): void;
}

interface Server {
  progress(): Promise<Progress>;
  picture(id: number): Promise<Picture>;
}

const READING_MS = 2000;
const RESTING_MS = 5000;
const LOST_MS = 3000;

/** Looks every few seconds whether the page's own server answers, and whether the file of the open case changed. */
export class ServerWatch extends Store<Watched> {
  private looking: Promise<void> | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private pause = READING_MS;

  constructor(
    private readonly session: Pick<Session, "workspace" | "annotator" | "sign_out">,
    private readonly hooks: WatchHooks,
    private readonly server: Server = client,
  ) {
    super({ link: "open", picture: null });
  }

  /** From here on, as long as the page is seen. */
  start(page: Document): void {
    page.addEventListener("visibilitychange", () => page.visibilityState === "visible" && void this.again(page));
    void this.again(page);
  }

  look(): Promise<void> {
    this.looking ??= this.ask().finally(() => (this.looking = null));
    return this.looking;
  }

  /** What an answer of the model says: it is of another picture than the screen shows. */
  replaced(id: number): void {
    if (this.get().picture?.id !== id) this.set({ picture: { id, problem: null } });
  }

  /** The screen shows the picture as it is now. */
  shown(): void {
    this.set({ picture: null });
  }

  private async again(page: Document): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    let wait = RESTING_MS;
    if (page.visibilityState === "visible") {
      await this.look();
      wait = this.get().link === "open" ? this.pause : LOST_MS;
    }
    if (this.timer === null) this.timer = setTimeout(() => void this.again(page), wait);
  }

  private async ask(): Promise<void> {
    try {
      const progress = await this.server.progress();
      this.pause = progress.encoded + progress.failed.length < progress.total ? READING_MS : RESTING_MS;
      if (progress.workspace !== this.session.workspace) return this.set({ link: "foreign" });
      if (progress.annotator !== this.session.annotator) return this.set({ link: "other" });
      const lost = this.get().link !== "open";
      this.set({ link: "open" });
      if (lost) this.hooks.back();
      this.hooks.progressed(progress);
      await this.compare();
    } catch (error) {
      this.set({ link: this.linkOf(error) });
    }
  }

  private async compare(): Promise<void> {
    const shown = this.hooks.shown();
    if (!shown?.picture) return this.set({ picture: null });
    const { picture, problem } = await this.server.picture(shown.id);
    if (picture !== null) this.hooks.holds(shown.id, picture);
    const now = this.hooks.shown();
    if (now?.id !== shown.id || now.picture !== shown.picture) return;
    const same = picture === shown.picture && problem === null;
    const known = this.get().picture;
    if (same) this.set({ picture: null });
    else if (known?.id !== shown.id || known.problem !== problem) this.set({ picture: { id: shown.id, problem } });
  }

  private linkOf(error: unknown): Link {
    if (!(error instanceof ApiError)) return "away";
    if (error.status === 401) return this.session.sign_out ? "signed-out" : "shut";
    // Whatever else answers here, it is not the server that this page needs.
    return "away";
  }
}
