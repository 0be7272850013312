import { ActiveTime } from "../../api/active_time";
import * as client from "../../api/client";
import { errorMessage } from "../../api/errors";
import { openSync, type Sync } from "../../api/sync/sync";
import type { CaseSummary, Label, Session } from "../../api/types";
import { CaseEditor, type CaseObject } from "../../engine/editing/case_editor";
import { colourAt } from "../../engine/palette";
import type { Stage, StageTool } from "../../engine/stage";
import { ModelRequests } from "../prompting/model_requests";
import { CaseProposals } from "../proposals/case_proposals";
import { CaseList } from "../worklist/case_list";
import { caseAfter, type WorklistView } from "../worklist/case_order";
import { FileUploads } from "../worklist/file_uploads";
import { CaseCache, type KeptCase } from "./case_cache";
import { ClosedDamage } from "./closed_damage";
import { openPreferences, type Preferences } from "./preferences";
import { ServerWatch } from "./server_watch";
import { Store } from "./store";
import { syncTargetOf } from "./sync_target";
import { type Toast, ToastList } from "./toast_list";
import { INITIAL_STATE, type WorkbenchState } from "./workbench_state";

const MOVE_INTERVAL_MS = 250;

declare global {
  interface Window {
    /** For scripts and tests: the open case. */
    dentasam?: { editor: CaseEditor | null; stage: Stage | null; sync: Sync };
  }
}

/** The state of the page and its services: the worklist, the open case, and the opening of the next one. */
export class Workbench {
  readonly state = new Store<WorkbenchState>(INITIAL_STATE);
  readonly toasts = new ToastList();
  readonly labels: ReadonlyMap<string, Label>;
  readonly watch: ServerWatch;
  readonly uploads: FileUploads;
  readonly proposals: CaseProposals;
  stage: Stage | null = null;
  modelRequests: ModelRequests | null = null;
  private readonly closedDamage: ClosedDamage;
  private readonly caseCache = new CaseCache();
  private open: KeptCase | null = null;
  private cleanups: (() => void)[] = [];
  private turn = 0;
  private lastMove = 0;

  private constructor(
    readonly session: Session,
    readonly sync: Sync,
    readonly activeTime: ActiveTime,
    readonly preferences: Store<Preferences>,
    readonly cases: CaseList,
  ) {
    this.closedDamage = new ClosedDamage(session.workspace, session.annotator);
    this.labels = new Map(session.schema.labels.map((label) => [label.name, label]));
    this.watch = new ServerWatch(session, {
      shown: () => this.open && { id: this.open.document.case.id, picture: this.open.image.picture },
      progressed: (progress) => void cases.take(progress, () => this.state.get().caseId).catch(() => undefined),
      holds: (id, picture) => cases.holds(id, picture),
      back: () => void sync.flush(),
    });
    this.proposals = new CaseProposals(session, {
      pull: () => sync.pull(),
      changed: (change) => this.state.set(change),
      failed: (text) => this.toast(text, "error"),
    });
    this.uploads = new FileUploads(session, {
      added: (one) => cases.put(one),
      imported: () => {
        void cases.reread(() => this.state.get().caseId).catch(() => undefined);
        void sync.pull().catch(() => undefined);
      },
    });
    // A failed save is the first sign of an unreachable server.
    sync.subscribe(() => sync.status().state === "offline" && void this.watch.look());
    sync.onRefused = (_, reason) => this.toast(`The server refused a change: ${reason}`, "error");
  }

  static async start(): Promise<Workbench> {
    const [session, cases] = await Promise.all([client.session(), client.cases()]);
    const sync = await openSync(session.workspace, session.annotator, client);
    const timing = new ActiveTime(client.sendTime, { idleSeconds: session.idle_seconds });
    const workbench = new Workbench(session, sync, timing, openPreferences(session.annotator), new CaseList(cases));
    sync.watch(window);
    timing.watch(window);
    // Without it the browser may delete the queue when the disk is nearly full.
    void navigator.storage?.persist?.().catch(() => false);
    workbench.watch.start(document);
    return workbench;
  }

  get editor(): CaseEditor | null {
    return this.open?.editor ?? null;
  }

  get summary(): CaseSummary | null {
    return this.cases.find(this.state.get().caseId);
  }

  get view(): WorklistView {
    return { ...this.state.get().filter, sort: this.preferences.get().sort };
  }

  /** Called once, with the stage that shows the cases. */
  async mount(stage: Stage): Promise<void> {
    this.stage = stage;
    window.dentasam = { editor: this.editor, stage, sync: this.sync };
    const wanted = Number(new URLSearchParams(location.hash.slice(1)).get("case"));
    const first = this.cases.find(wanted) ?? this.cases.first();
    if (first) await this.openCase(first.id);
  }

  /** The stage is about to be removed. */
  unmount(): void {
    this.turn++;
    this.leave();
    this.stage = null;
    this.state.set({ caseId: null, editor: null });
  }

  openCase = async (id: number): Promise<void> => {
    const { stage } = this;
    const summary = this.cases.find(id);
    if (!stage || !summary || (id === this.state.get().caseId && this.open)) return;
    const turn = ++this.turn;
    this.state.set({ openingId: id });
    this.proposals.announce(id);
    try {
      const kept = this.rejoined(summary) ?? (await this.read(summary, turn));
      if (kept) this.show(kept, stage);
    } catch (error) {
      if (turn !== this.turn) return;
      this.toast(`${summary.name} cannot be opened: ${errorMessage(error)}`, "error");
      if (!this.open) this.state.set({ editor: null, caseId: null, damaged: [] });
    } finally {
      if (turn === this.turn) this.state.set({ openingId: null });
    }
  };

  /** Cancels the opening of another case. */
  stay(): void {
    this.turn++;
    this.state.set({ openingId: null });
  }

  async step(direction: 1 | -1): Promise<void> {
    const { summary } = this;
    if (!summary) return;
    const next = caseAfter(this.cases.get().cases, this.view, summary, direction);
    if (next) await this.openCase(next.id);
    else
      this.toast(
        direction === 1 ? "This is the last case of the worklist." : "This is the first case of the worklist.",
      );
  }

  /** Shows the picture that the file of the open case holds now, under the same labels. */
  async reloadPicture(): Promise<void> {
    const { open, stage } = this;
    if (!open || !stage) return;
    try {
      const image = await client.pixels(open.document.case.id);
      if (this.open !== open) return;
      this.modelRequests?.cancelAll();
      open.image = image;
      open.window = { low: image.low, high: image.high };
      stage.setCase(open.editor, image);
      this.watch.shown();
    } catch (error) {
      this.toast(`The new picture cannot be shown: ${errorMessage(error)}`, "error");
    }
  }

  async comment(text: string): Promise<boolean> {
    const { caseId } = this.state.get();
    if (caseId === null || !text.trim()) return false;
    try {
      const comment = await client.addComment(caseId, text.trim());
      if (this.state.get().caseId === caseId) this.state.set({ comments: [...this.state.get().comments, comment] });
      this.cases.update(caseId, { comments: (this.cases.find(caseId)?.comments ?? 0) + 1 });
      return true;
    } catch (error) {
      this.toast(`The comment was not saved: ${errorMessage(error)}`, "error");
      return false;
    }
  }

  /** Closes the notice about what is damaged; it comes back for a new damage of the case. */
  closeDamage(): void {
    const { caseId, damaged } = this.state.get();
    if (caseId !== null) this.closedDamage.close(caseId, damaged);
    this.state.set({ damaged: [] });
  }

  setTool(tool: StageTool, negative = false): void {
    this.stage?.setTool(tool);
    this.state.set({ tool, negative: tool === "click" && negative, question: null });
  }

  /** A short message to the annotator. */
  toast(text: string, kind?: Toast["kind"]): void {
    this.toasts.show(text, kind);
  }

  /** Counts as active time; mere moves are counted a few times a second. */
  recordActivity(move = false): void {
    const now = performance.now();
    if (move && now - this.lastMove < MOVE_INTERVAL_MS) return;
    this.lastMove = now;
    this.activeTime.record(this.state.get().tool, this.editor?.activeId ?? null);
  }

  colourOf = (object: CaseObject): string => {
    const label = object.category === null ? undefined : this.labels.get(object.category);
    return label?.colour ?? colourAt(object.index);
  };

  /** A case left a moment ago, with its undo history, unless others changed it in the meantime. */
  private rejoined(summary: CaseSummary): KeptCase | null {
    const kept = this.caseCache.takeKept(summary.id);
    if (!kept) return null;
    this.leave();
    if (!this.sync.rejoin(summary, syncTargetOf(kept.editor))) return null;
    return kept;
  }

  private async read(summary: CaseSummary, turn: number): Promise<KeptCase | null> {
    await this.sync.settle(summary);
    const read = await this.caseCache.take(summary.id, this.sync.knownRevision(summary));
    if (turn !== this.turn) return null;
    this.leave();
    const { image, document, revision } = read;
    this.cases.update(summary.id, { damaged: document.case.damaged });
    const editor = new CaseEditor(image.width, image.height, image);
    editor.load(document.objects, document.case.status, document.missing);
    await this.sync.attach(summary, revision, document.objects, syncTargetOf(editor));
    if (turn !== this.turn) return null;
    void this.sync.pull();
    return { ...read, editor, window: { low: image.low, high: image.high } };
  }

  private leave(): void {
    const { stage, open } = this;
    if (!open) return;
    stage?.finish();
    this.modelRequests?.cancelAll();
    this.modelRequests = null;
    this.proposals.leave();
    open.editor.onOperations = null;
    if (stage) open.window = { low: stage.levels.low, high: stage.levels.high };
    open.document = { ...open.document, comments: [...this.state.get().comments] };
    this.cases.update(open.document.case.id, { active_seconds: this.activeTime.seconds });
    this.activeTime.close();
    for (const end of this.cleanups.splice(0)) end();
    this.sync.detach();
    this.caseCache.keep(open);
    this.open = null;
    // Nothing may be drawn into a case that no longer saves.
    stage?.setCase(null, null);
  }

  private show(kept: KeptCase, stage: Stage): void {
    const { editor, image, document } = kept;
    const { id } = document.case;
    this.open = kept;
    editor.colourOf = this.colourOf;
    editor.setBrush(this.preferences.get().brush);
    const modelRequests = new ModelRequests(id, editor, {
      underway: (requestsUnderway) => this.state.set({ requestsUnderway }),
      failed: (text) => this.toast(`The model did not answer: ${text}`, "error"),
      empty: () =>
        this.toast(
          "The model found nothing there, and nothing was changed. Click nearer to the middle, draw a box, or paint.",
          "warning",
        ),
      isShown: (picture) => {
        const shown = picture === this.open?.image.picture;
        if (!shown) this.watch.replaced(id);
        return shown;
      },
    });
    this.modelRequests = modelRequests;
    editor.onOperations = (operations) => {
      this.sync.enqueue(operations);
      modelRequests.noteEdits(operations);
      this.proposals.noteEdits(operations);
      this.recordActivity();
    };
    this.cleanups.push(editor.subscribe(() => this.noteCase(id, editor)));
    stage.setCase(editor, image);
    stage.setLevels(kept.window);
    this.activeTime.open(id, this.cases.find(id)?.active_seconds ?? 0);
    this.state.set({
      caseId: id,
      editor,
      comments: document.comments,
      damaged: this.closedDamage.notice(id, document.damaged),
      typedDigit: null,
      requestsUnderway: 0,
      newObjectRequested: false,
      question: null,
      shift: null,
    });
    window.dentasam = { editor, stage, sync: this.sync };
    history.replaceState(null, "", `#case=${id}`);
    this.proposals.show(kept);
    this.noteCase(id, editor);
    this.watch.shown();
    void this.watch.look();
    this.prefetch();
  }

  private prefetch(): void {
    const { summary } = this;
    const next = summary && caseAfter(this.cases.get().cases, this.view, summary, 1);
    // After the first frames of this case, which come first.
    if (next) setTimeout(() => this.open?.document.case.id === summary.id && this.caseCache.prefetch(next.id), 250);
  }

  private noteCase(id: number, editor: CaseEditor): void {
    const { status } = editor;
    const proposed = editor.objects.filter((object) => object.proposed).length;
    const objects = editor.objects.length - proposed;
    // The server sets a new case to in progress at its first operation; the list does not wait for its report.
    this.cases.update(id, { objects, proposed, status: status === "new" && editor.canUndo ? "in-progress" : status });
  }
}
