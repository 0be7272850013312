import type { BoxMask } from "../engine/mask";
import type { Operation } from "./types";

/** The first of these operations that go into one request: at least one, at most `count`, within `bytes` as estimated. */
export function firstBatch(operations: readonly Operation[], count: number, bytes: number): Operation[] {
  let heavy = 0;
  let taken = 0;
  while (taken < Math.min(operations.length, count)) {
    heavy += weight(operations[taken]);
    if (taken > 0 && heavy > bytes) break;
    taken++;
  }
  return operations.slice(0, taken);
}

function weight(operation: Operation): number {
  const masks: (BoxMask | undefined)[] = [];
  if (operation.kind === "create") masks.push(operation.mask);
  if (operation.kind === "mask") masks.push(operation.mask, operation.painted, operation.erased);
  // Run lengths rarely need more than a quarter byte for a pixel; a hopeless mask is caught by the server's 413.
  return 512 + masks.reduce((sum: number, mask) => sum + (mask ? mask.bits.length / 4 : 0), 0);
}
