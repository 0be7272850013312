import * as client from "../api/client";
import { openSync, type Sync } from "../api/sync";
import { ActiveTime } from "../api/timing";
import type { CaseComment, CaseStatus, CaseSummary, Label, Progress, Session } from "../api/types";
import { CaseEditor, type CaseObject } from "../engine/editor";
import { colourAt } from "../engine/palette";
import { Stage, type StageTool } from "../engine/stage";
import { CaseStock, type KeptCase } from "./caseStock";
import { openPreferences, type Preferences } from "./preferences";
import { Proposals } from "./proposals";
import { Store } from "./store";
import { targetOf } from "./target";
import { caseAfter, type WorklistView } from "./caseOrder";

export interface Toast {
  id: number;
  kind: "note" | "warning" | "error";
  text: string;
}

export interface WorkbenchState {
  cases: readonly CaseSummary[];
  progress: Progress | null;
  /** The case on the screen, and the one that is being opened. */
  caseId: number | null;
  openingId: number | null;
  editor: CaseEditor | null;
  comments: readonly CaseComment[];
  tool: StageTool;
  negative: boolean;
  /** Questions to the model under way. */
  asking: number;
  typedDigit: string | null;
  peeking: boolean;
  filter: Pick<WorklistView, "status" | "text">;
  toasts: readonly Toast[];
  help: boolean;
}

const TOAST_MS = { note: 3000, warning: 6000, error: 10_000 };
const PROGRESS_MS = 2000;
const MOVES_MS = 250;

declare global {
  interface Window {
    /** For scripts and tests: the open case. */
    dentasam?: { editor: CaseEditor | null; stage: Stage | null; sync: Sync };
  }
}

/** What the page works on: the worklist, the open case, and the ways from one to the next. */
export class Workbench {
  readonly state: Store<WorkbenchState>;
  readonly labels: ReadonlyMap<string, Label>;
  stage: Stage | null = null;
  proposals: Proposals | null = null;
  private readonly stock = new CaseStock();
  private open: KeptCase | null = null;
  private ending: (() => void)[] = [];
  private turn = 0;
  private toastId = 0;
  private lastMove = 0;

  private constructor(
    readonly session: Session,
    readonly sync: Sync,
    readonly timing: ActiveTime,
    readonly preferences: Store<Preferences>,
    cases: readonly CaseSummary[],
  ) {
    this.labels = new Map(session.schema.labels.map((label) => [label.name, label]));
    this.state = new Store<WorkbenchState>({
      cases,
      progress: null,
      caseId: null,
      openingId: null,
      editor: null,
      comments: [],
      tool: "click",
      negative: false,
      asking: 0,
      typedDigit: null,
      peeking: false,
      filter: { status: "all", text: "" },
      toasts: [],
      help: false,
    });
    sync.onRefused = (_, reason) => this.say(`The server refused a change: ${reason}`, "error");
  }

  static async start(): Promise<Workbench> {
    const [session, cases] = await Promise.all([client.session(), client.cases()]);
    const sync = await openSync(session.workspace, session.annotator, client);
    const timing = new ActiveTime(client.sendTime, { idleSeconds: session.idle_seconds });
    const workbench = new Workbench(session, sync, timing, openPreferences(session.annotator), cases);
    sync.watch(window);
    timing.watch(window);
    // Without it the browser may throw the queue away when the disk runs short.
    void navigator.storage?.persist?.().catch(() => false);
    workbench.watchProgress();
    return workbench;
  }

  get editor(): CaseEditor | null {
    return this.open?.editor ?? null;
  }

  get summary(): CaseSummary | null {
    const { cases, caseId } = this.state.get();
    return cases.find((one) => one.id === caseId) ?? null;
  }

  get view(): WorklistView {
    return { ...this.state.get().filter, sort: this.preferences.get().sort };
  }

  /** Called once, with the stage that shows every case. */
  async mount(stage: Stage): Promise<void> {
    this.stage = stage;
    window.dentasam = { editor: this.editor, stage, sync: this.sync };
    const { cases } = this.state.get();
    const wanted = Number(new URLSearchParams(location.hash.slice(1)).get("case"));
    const first = cases.find((one) => one.id === wanted) ?? this.firstOpenCase();
    if (first) await this.openCase(first.id);
  }

  /** The stage is going away. */
  unmount(): void {
    this.turn++;
    this.leave();
    this.stage = null;
    this.state.set({ caseId: null, editor: null });
  }

  openCase = async (id: number): Promise<void> => {
    const { stage } = this;
    const summary = this.state.get().cases.find((one) => one.id === id);
    if (!stage || !summary || (id === this.state.get().caseId && this.open)) return;
    const turn = ++this.turn;
    this.state.set({ openingId: id });
    void client.announce(id).catch(() => undefined);
    try {
      const kept = this.rejoined(summary) ?? (await this.read(summary, turn));
      if (kept) this.show(kept);
    } catch (fault) {
      if (turn !== this.turn) return;
      this.say(`${summary.name} cannot be opened: ${message(fault)}`, "error");
      if (!this.open) this.state.set({ editor: null, caseId: null });
    } finally {
      if (turn === this.turn) this.state.set({ openingId: null });
    }
  };

  async step(direction: 1 | -1): Promise<void> {
    const { summary } = this;
    if (!summary) return;
    const next = caseAfter(this.state.get().cases, this.view, summary, direction);
    if (next) await this.openCase(next.id);
    else this.say(direction === 1 ? "This is the last case of the worklist." : "This is the first case of the worklist.");
  }

  setStatus(status: CaseStatus): void {
    this.editor?.setStatus(status);
  }

  async comment(text: string): Promise<boolean> {
    const { caseId } = this.state.get();
    if (caseId === null || !text.trim()) return false;
    try {
      const comment = await client.addComment(caseId, text.trim());
      if (this.state.get().caseId === caseId) this.state.set({ comments: [...this.state.get().comments, comment] });
      this.update(caseId, { comments: (this.state.get().cases.find((one) => one.id === caseId)?.comments ?? 0) + 1 });
      return true;
    } catch (fault) {
      this.say(`The comment was not saved: ${message(fault)}`, "error");
      return false;
    }
  }

  setTool(tool: StageTool, negative = false): void {
    this.stage?.setTool(tool);
    this.state.set({ tool, negative: tool === "click" && negative });
  }

  say(text: string, kind: Toast["kind"] = "note"): void {
    const id = ++this.toastId;
    const others = this.state.get().toasts.filter((toast) => toast.text !== text);
    this.state.set({ toasts: [...others, { id, kind, text }].slice(-4) });
    setTimeout(() => this.unsay(id), TOAST_MS[kind]);
  }

  unsay(id: number): void {
    this.state.set({ toasts: this.state.get().toasts.filter((toast) => toast.id !== id) });
  }

  /** The user did something; moves alone are counted a few times a second. */
  act(move = false): void {
    const now = performance.now();
    if (move && now - this.lastMove < MOVES_MS) return;
    this.lastMove = now;
    this.timing.act(this.state.get().tool, this.editor?.activeId ?? null);
  }

  colourOf = (object: CaseObject): string => {
    const label = object.category === null ? undefined : this.labels.get(object.category);
    return label?.colour ?? colourAt(object.index);
  };

  private firstOpenCase(): CaseSummary | undefined {
    const { cases } = this.state.get();
    return cases.find((one) => one.status === "in-progress") ?? cases.find((one) => one.status === "new") ?? cases[0];
  }

  /** A case left a moment ago, with its undo history, unless others changed it in the meantime. */
  private rejoined(summary: CaseSummary): KeptCase | null {
    const kept = this.stock.takeKept(summary.id);
    if (!kept) return null;
    this.leave();
    if (!this.sync.rejoin(summary, targetOf(kept.editor))) return null;
    return kept;
  }

  private async read(summary: CaseSummary, turn: number): Promise<KeptCase | null> {
    await this.sync.settle(summary);
    const read = await this.stock.take(summary.id, this.sync.knownRevision(summary));
    if (turn !== this.turn) return null;
    this.leave();
    const { image, document, revision } = read;
    const editor = new CaseEditor(image.width, image.height, image);
    editor.load(document.objects, document.case.status);
    await this.sync.attach(summary, revision, document.objects, targetOf(editor));
    if (turn !== this.turn) return null;
    void this.sync.pull();
    return { ...read, editor, window: { low: image.low, high: image.high } };
  }

  private leave(): void {
    const { stage, open } = this;
    if (!open) return;
    stage?.finish();
    this.proposals?.dropAll();
    this.proposals = null;
    open.editor.onOperations = null;
    if (stage) open.window = { low: stage.levels.low, high: stage.levels.high };
    open.document = { ...open.document, comments: [...this.state.get().comments] };
    this.update(open.document.case.id, { active_seconds: this.timing.seconds });
    this.timing.close();
    for (const end of this.ending.splice(0)) end();
    this.sync.detach();
    this.stock.keep(open);
    this.open = null;
    // Nothing may be drawn into a case that no longer saves.
    stage?.setCase(null, null);
  }

  private show(kept: KeptCase): void {
    const { editor, image, document } = kept;
    const { id } = document.case;
    const stage = this.stage!;
    this.open = kept;
    editor.colourOf = this.colourOf;
    editor.setBrush(this.preferences.get().brush);
    const proposals = new Proposals(id, editor, {
      asking: (asking) => this.state.set({ asking }),
      failed: (text) => this.say(`The model did not answer: ${text}`, "error"),
    });
    this.proposals = proposals;
    editor.onOperations = (operations) => {
      this.sync.enqueue(operations);
      proposals.noteEdits(operations);
      this.act();
    };
    this.ending.push(editor.subscribe(() => this.noteCase(id, editor)));
    stage.setCase(editor, image);
    stage.setLevels(kept.window);
    this.timing.open(id, this.state.get().cases.find((one) => one.id === id)?.active_seconds ?? 0);
    this.state.set({ caseId: id, editor, comments: document.comments, typedDigit: null, asking: 0 });
    window.dentasam = { editor, stage, sync: this.sync };
    history.replaceState(null, "", `#case=${id}`);
    this.noteCase(id, editor);
    this.prefetch();
  }

  private prefetch(): void {
    const { summary } = this;
    const next = summary && caseAfter(this.state.get().cases, this.view, summary, 1);
    // After the first frames of this case, which come first.
    if (next) setTimeout(() => this.open?.document.case.id === summary.id && this.stock.prefetch(next.id), 250);
  }

  private noteCase(id: number, editor: CaseEditor): void {
    const { status } = editor;
    const objects = editor.objects.length;
    // The server starts a new case at its first operation; the list need not wait for it to say so.
    this.update(id, { objects, status: status === "new" && editor.canUndo ? "in-progress" : status });
  }

  private update(id: number, change: Partial<CaseSummary>): void {
    const { cases } = this.state.get();
    const one = cases.find((summary) => summary.id === id);
    if (!one || Object.entries(change).every(([key, value]) => one[key as keyof CaseSummary] === value)) return;
    this.state.set({ cases: cases.map((summary) => (summary.id === id ? { ...summary, ...change } : summary)) });
  }

  private watchProgress(): void {
    let known = -1;
    const look = async () => {
      try {
        const progress = await client.progress();
        this.state.set({ progress });
        if (progress.encoded !== known) await this.refresh();
        known = progress.encoded;
        if (progress.encoded + progress.failed.length >= progress.total) return;
      } catch {
        // The save state tells of a server that is away.
      }
      setTimeout(() => void look(), PROGRESS_MS);
    };
    void look();
  }

  /** What the server knows of the cases, without overwriting what this page knows better of the open one. */
  private async refresh(): Promise<void> {
    const cases = await client.cases();
    const { caseId, cases: known } = this.state.get();
    const open = known.find((one) => one.id === caseId);
    this.state.set({
      cases: cases.map((one) =>
        open && one.id === caseId ? { ...one, status: open.status, objects: open.objects, comments: open.comments } : one,
      ),
    });
  }
}

export function message(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}
