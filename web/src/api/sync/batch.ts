import type { BoxMask } from "../../engine/masks/mask";
import type { Operation } from "../types";

/** The first of these operations that go into one request: at least one, at most `count`, within `bytes` as estimated. */
export function firstBatch(operations: readonly Operation[], count: number, bytes: number): Operation[] {
  let heavy = 0;
  const batch: Operation[] = [];
  for (const operation of operations.slice(0, count)) {
    heavy += weight(operation);
    if (batch.length > 0 && heavy > bytes) break;
    batch.push(operation);
  }
  return batch;
}

function weight(operation: Operation): number {
  const masks: (BoxMask | undefined)[] = [];
  if (operation.kind === "create") masks.push(operation.mask);
  if (operation.kind === "mask") masks.push(operation.mask, operation.painted, operation.erased);
  // Run lengths rarely need more than a quarter byte a pixel; a larger body is caught by the server's 413.
  return 512 + masks.reduce((sum: number, mask) => sum + (mask ? mask.bits.length / 4 : 0), 0);
}
