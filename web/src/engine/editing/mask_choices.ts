import type { BoxMask } from "../masks/mask";
import { type PackedMask, packMask } from "../masks/packed_mask";
import type { ModelRecord } from "../operations";

/** One of the masks that a click may mean, such as a tooth or the filling in it. */
export interface Choice<M> {
  mask: M;
  model: ModelRecord | null;
}

/** What the first click of an object may mean, the largest first, and which of these masks the object has. */
export interface MaskChoices {
  readonly offered: readonly Choice<PackedMask>[];
  readonly taken: number;
}

/** null where there is nothing to choose: fewer than two masks, or `mask` is none of them. */
export function choicesWith(mask: BoxMask, offered: readonly Choice<BoxMask>[]): MaskChoices | null {
  const taken = offered.findIndex((choice) => choice.mask.equals(mask));
  if (offered.length < 2 || taken < 0) return null;
  return { offered: offered.map((choice) => ({ mask: packMask(choice.mask), model: choice.model })), taken };
}
