import type { CaseImage } from "../engine/case_image";
import type { BoxMask } from "../engine/masks/mask";
import type { ObjectState, Operation, Status } from "../engine/operations";
import type { components } from "./schema";

type Schemas = components["schemas"];

/** A document in the page: with the masks in place of references into the envelope. */
type Unpacked<T> = T extends Schemas["MaskRef"] ? BoxMask : T extends object ? { [K in keyof T]: Unpacked<T[K]> } : T;

export type { CaseImage, ObjectState, Operation };

export type CaseStatus = Status;
export const CASE_STATUSES: readonly CaseStatus[] = ["new", "in-progress", "done", "needs-review", "approved"];

export type Label = Schemas["Label"];
export type Session = Schemas["Session"];
export type CaseSummary = Schemas["CaseSummary"];
export type CaseComment = Schemas["Comment"];
export type Progress = Schemas["Progress"];
export type Picture = Schemas["Picture"];
export type TimeInterval = Schemas["TimeInterval"];
export type Stored = Schemas["Stored"];
export type ImportedAnnotations = Schemas["Imported"];
export type Numbering = Schemas["Numbering"];
export type Problem = Schemas["Problem"];
export type DatasetFormat = Schemas["DatasetFormat"];

/** Whether the model's proposals are in a case, are being made, were never made for it, or are turned off. */
export type ProposalsState = Schemas["CaseDocument"]["proposals"];
export type ObjectToNumber = Schemas["ObjectToNumber"];
export type ProposalsSwitch = Schemas["ProposalsSwitch"];
export type Numbers = Schemas["Numbers"];
export type NumberedObject = Schemas["NumberedObject"];

export type PredictRequest = Unpacked<Schemas["PredictObject"]>;
export type RefineRequest = Unpacked<Schemas["RefineObject"]>;
export type Prediction = Unpacked<Schemas["PredictionDocument"]>;
export type Refinement = Unpacked<Schemas["RefinementDocument"]>;

export type DamagedPart = Schemas["DamagedPart"];

export interface CaseDocument {
  case: CaseSummary;
  objects: ObjectState[];
  comments: CaseComment[];
  /** Numbers of teeth that were marked as missing, in chart order. */
  missing: string[];
  proposals: ProposalsState;
  /** What the database cannot give back; it is in neither `objects` nor `comments`. */
  damaged: DamagedPart[];
}

export interface LogDocument {
  revision: number;
  operations: Operation[];
}

/** What a 409 says: operations the page has not seen and the folded state of the objects they touched. */
export interface ConflictReply extends LogDocument {
  objects: ObjectState[];
}
