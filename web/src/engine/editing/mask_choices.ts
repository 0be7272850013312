import type { BoxMask } from "../masks/mask";
import { type PackedMask, packMask, unpackMask } from "../masks/packed_mask";
import type { ModelRecord } from "../operations";

/** One of the masks that a click may mean, such as a tooth or the filling in it. */
export interface Choice<M> {
  mask: M;
  model: ModelRecord | null;
}

/** What the first click of an object may mean, the largest first. */
export interface MaskChoices {
  readonly offered: readonly Choice<PackedMask>[];
  /** Which of them the model answered, and which the object has. */
  readonly answered: number;
  readonly taken: number;
}

/** null where there is nothing to choose: fewer than two masks, or `mask` is none of them. */
export function choicesWith(mask: BoxMask, offered: readonly Choice<BoxMask>[]): MaskChoices | null {
  const taken = offered.findIndex((choice) => choice.mask.equals(mask));
  if (offered.length < 2 || taken < 0) return null;
  const packed = offered.map((choice) => ({ mask: packMask(choice.mask), model: choice.model }));
  return { offered: packed, answered: taken, taken };
}

// As in model/windows/choices.py, by which the server answers an object that has its label already.
const MIN_SCORE = 0.15;
const MIN_SCORE_SHARE = 0.3;
const MAX_PART_SHARE = 0.5;
const MIN_INSIDE = 0.9;

/** For a label that names parts: the smallest choice that is scored well enough and lies in the taken one; else that. */
export function preferredPart({ offered, taken }: MaskChoices): number {
  const masks = offered.map((choice) => unpackMask(choice.mask));
  const scores = offered.map((choice) => choice.model?.score ?? 0);
  const whole = masks[taken];
  const least = Math.max(MIN_SCORE, MIN_SCORE_SHARE * Math.max(...scores));
  const parts = [...masks.entries()].filter(
    ([index, mask]) =>
      whole !== undefined &&
      (scores[index] ?? 0) >= least &&
      mask.area > 0 &&
      mask.area <= MAX_PART_SHARE * whole.area &&
      sharedArea(mask, whole) >= MIN_INSIDE * mask.area,
  );
  return parts.at(-1)?.[0] ?? taken;
}

function sharedArea(a: BoxMask, b: BoxMask): number {
  let shared = 0;
  a.eachRun((y, x0, x1) => {
    for (let x = x0; x < x1; x++) shared += b.get(x, y);
  });
  return shared;
}
