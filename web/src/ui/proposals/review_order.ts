import type { Label } from "../../api/types";
import type { ObjectSource } from "../../engine/operations";
import { inChartOrder } from "../labels/object_order";

/** The part of an object that the order of the review uses. */
export interface Reviewed {
  id: string;
  category: string | null;
  /** Place in the order of creation. */
  index: number;
  source: ObjectSource;
  accepted: boolean;
  confidence: number | null;
}

export interface ReviewOptions {
  /** Proposals below this confidence are unsure. */
  threshold: number;
  /** Whether the unsure ones come first, the least sure at their head. */
  unsureFirst: boolean;
  labels: ReadonlyMap<string, Label>;
}

/**
 * The objects in the order in which `Enter` goes through them. A proposal that was corrected keeps its place, so that what
 * comes after it does not depend on whether it was.
 */
export function inReviewOrder<T extends Reviewed>(objects: readonly T[], options: ReviewOptions): T[] {
  const listed = inChartOrder(objects, options.labels);
  if (!options.unsureFirst) return listed;
  const confidence = ({ confidence }: T) => confidence ?? 0;
  const unsure = (object: T) => object.source === "proposal" && confidence(object) < options.threshold;
  return [
    ...listed.filter(unsure).sort((a, b) => confidence(a) - confidence(b)),
    ...listed.filter((object) => !unsure(object)),
  ];
}

/** The next object to accept after one (null: from the beginning), round to the beginning again; null without any. */
export function nextToReview<T extends Reviewed>(
  objects: readonly T[],
  after: string | null,
  options: ReviewOptions,
): T | null {
  const open = inReviewOrder(
    objects.filter(({ id, accepted }) => !accepted || id === after),
    options,
  );
  const at = open.findIndex(({ id }) => id === after);
  return [...open.slice(at + 1), ...open.slice(0, at + 1)].find(({ accepted }) => !accepted) ?? null;
}
