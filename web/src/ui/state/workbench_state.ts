import type { CaseComment, CaseStatus, DamagedPart, ProposalsState } from "../../api/types";
import type { CaseEditor } from "../../engine/editing/case_editor";
import type { Point } from "../../engine/geometry/point";
import type { BoxPrompt, Click } from "../../engine/operations";
import type { StageTool } from "../../engine/stage";
import type { Reason } from "../closing/closing_checks";
import type { Offers } from "../proposals/number_offers";
import type { Direction } from "../proposals/run_shift";
import type { WorklistView } from "../worklist/case_order";

/** A case that was just closed (set to done). */
export interface ClosedCase {
  id: number;
  name: string;
  before: CaseStatus;
  /** How many steps its history has; the last one closed it. */
  steps: number;
  /** The message that offers to undo it. */
  toast: number;
  /** The case that opened after it, as it was then. */
  next: { editor: CaseEditor; steps: number } | null;
}

export interface WorkbenchState {
  /** The case on the screen, and the one that is being opened. */
  caseId: number | null;
  openingId: number | null;
  editor: CaseEditor | null;
  comments: readonly CaseComment[];
  /** What of the open case is damaged in the server's database; empty once the notice of it is closed. */
  damaged: readonly DamagedPart[];
  tool: StageTool;
  negative: boolean;
  /** Requests to the model under way. */
  requestsUnderway: number;
  typedDigit: string | null;
  peeking: boolean;
  /** `N` was pressed: the next click begins an object wherever it is. */
  newObjectRequested: boolean;
  /** A click or box that may be for the active object or for another one. */
  question: Question | null;
  /** Whether the open case has the model's proposals. */
  proposals: ProposalsState;
  /** Numbers that the model offers for objects without a label, by object. */
  offers: Offers;
  /** The shift of the active tooth and those behind it that the annotator is asked about. */
  shift: Direction | null;
  filter: Pick<WorklistView, "status" | "text">;
  help: boolean;
  /** The reasons against closing the case, while the annotator is asked; `opensNext`: whether the next case opens after it. */
  closingQuestion: { reasons: readonly Reason[]; opensNext: boolean } | null;
  /** The case closed last, as long as *Undo* reopens it. */
  closedCase: ClosedCase | null;
  /** The step of the tour that is shown. */
  tour: number | null;
}

/** A click or box far from the active object. */
export interface Question {
  /** The object that is active. */
  object: string;
  /** Image point beside which it is asked. */
  at: Point;
  prompt: { kind: "click"; click: Click } | { kind: "box"; box: BoxPrompt };
}

export const INITIAL_STATE: WorkbenchState = {
  caseId: null,
  openingId: null,
  editor: null,
  comments: [],
  damaged: [],
  tool: "click",
  negative: false,
  requestsUnderway: 0,
  typedDigit: null,
  peeking: false,
  newObjectRequested: false,
  question: null,
  proposals: "off",
  offers: new Map(),
  shift: null,
  filter: { status: "all", text: "" },
  help: false,
  closingQuestion: null,
  closedCase: null,
  tour: null,
};
