import type { BrushShape } from "./geometry/stroke";
import type { BoxMask } from "./masks/mask";

/** A click as the model and the log hold it: x, y as pixel indices (pixel i's centre is i), 1 positive, 0 negative. */
export type Click = [number, number, 0 | 1];

/** x0, y0, x1, y1 as pixel indices, like a click. */
export type BoxPrompt = [number, number, number, number];

export interface Prompts {
  clicks: Click[];
  box: BoxPrompt | null;
}

export type Status = "new" | "in-progress" | "done" | "needs-review" | "approved";
/** A proposal is an object that the model found before anybody clicked. */
export type ObjectSource = "manual" | "model" | "import" | "proposal";
export type OverlapMode = "overlap" | "protect" | "take";

export type MaskTool =
  | "click"
  | "box"
  | "brush"
  | "eraser"
  | "lasso"
  | "fill-holes"
  | "drop-islands"
  | "smooth"
  | "refine"
  /** Another of the masks that the model offered for a click. */
  | "choice"
  | "neighbour";

export interface ModelIdentity {
  name: string;
  sha256: string | null;
  adapter: string | null;
  adapter_sha256: string | null;
}

export interface ModelRecord extends ModelIdentity {
  score: number;
  /** Whether the model saw an object window or the whole image; absent in logs from before there were windows. */
  answered_by?: "window" | "whole" | null;
}

export interface StrokeRecord {
  shape: BrushShape;
  size: number;
  points: [number, number][];
  limited?: boolean;
}

interface Stamp {
  /** UUID made by the client. */
  id: string;
  /** Client's clock, ms since the epoch. */
  time: number;
  /** The operation that this one undoes. */
  undoes?: string;
}

/** What the server adds to a stored operation. */
export interface Receipt {
  revision?: number;
  annotator?: string;
  received?: string;
}

export interface CreateData {
  category: string | null;
  parent: string | null;
  source: ObjectSource;
  /** Of a proposal: the click behind its mask. */
  prompts?: Prompts | null;
  model?: ModelRecord | null;
  /** Of a proposal: the probability that it is there and its category is right. */
  confidence?: number | null;
}

export interface MaskData {
  tool: MaskTool;
  /** Absent: unchanged; null: removed. */
  prompts?: Prompts | null;
  stroke?: StrokeRecord;
  model?: ModelRecord | null;
}

export type ObjectOperation = Stamp &
  Receipt & { object: string } & (
    | { kind: "create"; data: CreateData; mask?: BoxMask }
    | { kind: "mask"; data: MaskData; mask: BoxMask; painted?: BoxMask; erased?: BoxMask }
    | { kind: "relabel"; data: { category: string | null } }
    | { kind: "parent"; data: { parent: string | null } }
    | { kind: "lock"; data: { locked: boolean } }
    | { kind: "accept"; data: { accepted: boolean } }
    /** `withdrawn`: the model takes back a proposal that nobody has touched. */
    | { kind: "delete"; data: { deleted: boolean; withdrawn?: boolean } }
  );

export type StatusOperation = Stamp & Receipt & { object: null; kind: "status"; data: { status: Status } };

/** `number`: the FDI number of a tooth that the patient does not have. */
export type MissingOperation = Stamp &
  Receipt & { object: null; kind: "missing"; data: { number: string; missing: boolean } };

export type CaseOperation = StatusOperation | MissingOperation;
export type Operation = ObjectOperation | CaseOperation;

/** An object as the server folds it from its operations. */
export interface ObjectState {
  id: string;
  category: string | null;
  parent: string | null;
  locked: boolean;
  accepted: boolean;
  deleted: boolean;
  source: ObjectSource;
  score: number | null;
  model: ModelRecord | null;
  prompts: Prompts | null;
  mask: BoxMask | null;
  painted: BoxMask | null;
  erased: BoxMask | null;
  area: number;
  revision: number;
  annotator: string | null;
  confidence: number | null;
  /** Whether it is as the model proposed it, and nobody has accepted it. */
  proposed: boolean;
  /** Of a proposal: the operations by which people changed it and that are not undone; accepting is none. */
  touches: readonly string[];
}
