import type { TimeInterval } from "./types";

export interface TimingOptions {
  idleSeconds: number;
  /** Milliseconds between two requests. */
  every?: number;
  now?: () => number;
}

export type SendTime = (id: number, intervals: TimeInterval[], keepalive: boolean) => Promise<void>;

interface Running {
  tool: string;
  object: string | null;
  start: number;
  last: number;
}

// Browsers refuse keepalive bodies beyond 64 KiB; an interval is about 130 bytes.
const KEEPALIVE_INTERVALS = 300;

/**
 * Active time on a case: from the first to the last action without a pause longer than the idle cut-off, by tool and object.
 * The time up to the last action counts; the pause that follows it does not.
 */
export class ActiveTime {
  private caseId: number | null = null;
  private before = 0;
  private closed = 0;
  private running: Running | null = null;
  private readonly unsent = new Map<number, TimeInterval[]>();
  private readonly now: () => number;
  private timer: ReturnType<typeof setInterval> | null = null;
  private sending: Promise<void> = Promise.resolve();

  constructor(
    private readonly post: SendTime,
    private readonly options: TimingOptions,
  ) {
    this.now = options.now ?? Date.now;
  }

  /** From now on actions belong to this case, which already had `activeSeconds`. */
  open(caseId: number, activeSeconds: number): void {
    this.close();
    this.caseId = caseId;
    this.before = activeSeconds;
    this.closed = 0;
    this.timer ??= setInterval(() => void this.flush(), this.options.every ?? 15_000);
  }

  close(): void {
    this.end();
    this.caseId = null;
  }

  /** The user did something with `tool` on `object`. */
  record(tool: string, object: string | null): void {
    if (this.caseId === null) return;
    const now = this.now();
    const { running } = this;
    if (running && now - running.last > this.options.idleSeconds * 1000) this.end();
    if (this.running) this.running.last = now;
    if (this.running && (this.running.tool !== tool || this.running.object !== object)) this.end();
    this.running ??= { tool, object, start: now, last: now };
  }

  /** Ends the running interval at the last action. */
  end(): void {
    const { running, caseId } = this;
    this.running = null;
    if (!running || caseId === null || running.last <= running.start) return;
    const seconds = (running.last - running.start) / 1000;
    this.closed += seconds;
    const list = this.unsent.get(caseId) ?? [];
    list.push({ tool: running.tool, object: running.object, start: running.start, seconds });
    this.unsent.set(caseId, list);
  }

  /** Active seconds of the open case, including earlier sessions. */
  get seconds(): number {
    const { running } = this;
    return this.before + this.closed + (running ? (running.last - running.start) / 1000 : 0);
  }

  /** Sends what is complete; what could not be sent is kept for the next time. */
  flush(keepalive = false): Promise<void> {
    const { running } = this;
    this.end();
    // The annotator goes on: the next action continues where this interval was cut.
    if (running && !keepalive) this.running = { ...running, start: running.last };
    const send = () => this.sendAll(keepalive);
    if (keepalive) return send();
    this.sending = this.sending.then(send, send);
    return this.sending;
  }

  /** Sends on leaving the page, and stops the clock while nobody sees it. */
  watch(page: Window): () => void {
    const hidden = () => {
      if (page.document.visibilityState === "hidden") void this.flush(true);
    };
    const leaving = () => void this.flush(true);
    page.document.addEventListener("visibilitychange", hidden);
    page.addEventListener("pagehide", leaving);
    return () => {
      page.document.removeEventListener("visibilitychange", hidden);
      page.removeEventListener("pagehide", leaving);
    };
  }

  dispose(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  private async sendAll(keepalive: boolean): Promise<void> {
    for (const [id, intervals] of [...this.unsent]) {
      const batch = keepalive ? intervals.slice(0, KEEPALIVE_INTERVALS) : intervals.slice();
      // Taken out before sending, so that a second sending under way does not count the same seconds twice.
      this.put(id, intervals.slice(batch.length));
      try {
        await this.post(id, batch, keepalive);
      } catch {
        this.put(id, [...batch, ...(this.unsent.get(id) ?? [])]);
      }
    }
  }

  private put(id: number, intervals: TimeInterval[]): void {
    if (intervals.length > 0) this.unsent.set(id, intervals);
    else this.unsent.delete(id);
  }
}
