import type { ObjectOperation, ObjectSource, Operation } from "../operations";

/** As on the server: more are not listed. */
const MAX_TOUCHES = 100;

/** What decides whether an object is still a proposal. */
export interface ProposalState {
  source: ObjectSource;
  accepted: boolean;
  touches: readonly string[];
}

/** Whether it is as the model proposed it, and nobody has accepted it. */
export function isProposed({ source, accepted, touches }: ProposalState): boolean {
  return source === "proposal" && !accepted && touches.length === 0;
}

/** Whether it is a proposal that the model is less sure of than `threshold`, 0..1; one without a confidence is. */
export function isUnsure(object: { proposed: boolean; confidence: number | null }, threshold: number): boolean {
  return object.proposed && (object.confidence ?? 0) < threshold;
}

/** Whether the model takes a proposal back. */
export function isWithdrawal(operation: Operation): boolean {
  return operation.kind === "delete" && operation.data.withdrawn === true;
}

/** The touches of an object after an operation: an undo removes the one that it undoes, a redo is a new one. */
export function touchesAfter(
  { source, touches }: Pick<ProposalState, "source" | "touches">,
  operation: ObjectOperation,
): readonly string[] {
  const none = operation.kind === "create" || operation.kind === "accept" || isWithdrawal(operation);
  if (source !== "proposal" || none || touches.includes(operation.id)) return touches;
  const { undoes } = operation;
  if (undoes !== undefined && touches.includes(undoes)) return touches.filter((touch) => touch !== undoes);
  return touches.length < MAX_TOUCHES ? [...touches, operation.id] : touches;
}
