import * as client from "../../api/client";
import { ApiError } from "../../api/errors";
import type { Picture, Progress, Session } from "../../api/types";
import { Store } from "./store";

/** Whether the page's own server answers, and if not, what does. */
export type Link =
  | "connected"
  | "unreachable"
  | "token-changed"
  | "signed-out"
  | "other-workspace"
  | "other-annotator";

/** The file of the open case holds another picture than the screen shows. */
export interface PictureNews {
  id: number;
  /** Why the new picture cannot be shown; null where it can. */
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

const ENCODING_MS = 2000;
const IDLE_MS = 5000;
const RETRY_MS = 3000;

/** Looks every few seconds whether the page's own server answers, and whether the file of the open case changed. */
export class ServerWatch extends Store<Watched> {
  private looking: Promise<void> | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private pause = ENCODING_MS;

  constructor(
    private readonly session: Pick<Session, "workspace" | "annotator" | "sign_out">,
    private readonly hooks: WatchHooks,
    private readonly server: Server = client,
  ) {
    super({ link: "connected", picture: null });
  }

  /** Starts looking, while the page is visible. */
  start(page: Document): void {
    page.addEventListener("visibilitychange", () => page.visibilityState === "visible" && void this.again(page));
    void this.again(page);
  }

  look(): Promise<void> {
    this.looking ??= this.ask().finally(() => (this.looking = null));
    return this.looking;
  }

  /** An answer of the model was about another picture than the screen shows. */
  replaced(id: number): void {
    if (this.get().picture?.id !== id) this.set({ picture: { id, problem: null } });
  }

  /** The screen shows the current picture. */
  shown(): void {
    this.set({ picture: null });
  }

  private async again(page: Document): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    let wait = IDLE_MS;
    if (page.visibilityState === "visible") {
      await this.look();
      wait = this.get().link === "connected" ? this.pause : RETRY_MS;
    }
    if (this.timer === null) this.timer = setTimeout(() => void this.again(page), wait);
  }

  private async ask(): Promise<void> {
    try {
      const progress = await this.server.progress();
      this.pause = progress.encoded + progress.failed.length < progress.total ? ENCODING_MS : IDLE_MS;
      if (progress.workspace !== this.session.workspace) return this.set({ link: "other-workspace" });
      if (progress.annotator !== this.session.annotator) return this.set({ link: "other-annotator" });
      const lost = this.get().link !== "connected";
      this.set({ link: "connected" });
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
    if (!(error instanceof ApiError)) return "unreachable";
    if (error.status === 401) return this.session.sign_out ? "signed-out" : "token-changed";
    // Any other error means that something else answers at this address.
    return "unreachable";
  }
}
