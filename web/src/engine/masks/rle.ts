import { BoxMask } from "./mask";

/** The bytes of a mask are not a valid encoding. */
export class MaskError extends Error {
  override name = "MaskError";
}

/** The most pixels a mask may have; more is taken for corrupt data. */
export const MAX_PIXELS = 100_000_000;

const MAX_RUN_BYTES = 4; // bytes of seven bits; MAX_PIXELS needs 27 bits

/**
 * The run lengths of a mask, row by row within its box, zeros first, as unsigned LEB128.
 * An empty mask has no bytes at all.
 */
export function encodeRuns(bits: Uint8Array): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(256);
  let length = 0;
  let value = 0;
  let start = 0;
  while (start < bits.length) {
    let stop = bits.indexOf(value ^ 1, start);
    if (stop < 0) stop = bits.length;
    let run = stop - start;
    if (length + 5 > bytes.length) {
      const longer = new Uint8Array(bytes.length * 2);
      longer.set(bytes);
      bytes = longer;
    }
    while (run > 0x7f) {
      bytes[length++] = (run & 0x7f) | 0x80;
      run >>>= 7;
    }
    bytes[length++] = run;
    start = stop;
    value ^= 1;
  }
  return bytes.slice(0, length);
}

/** The bits of width * height pixels. Raises `MaskError` for anything but an exact encoding of so many. */
export function decodeRuns(bytes: Uint8Array, width: number, height: number): Uint8Array {
  for (const side of [width, height]) {
    if (!Number.isInteger(side) || side < 0) throw new MaskError(`a mask cannot be ${width} x ${height}`);
  }
  const total = width * height;
  if (total > MAX_PIXELS) throw new MaskError(`a mask of ${width} x ${height} is too large`);
  if (total === 0 && (width !== 0 || height !== 0 || bytes.length !== 0)) {
    throw new MaskError("an empty mask has width, height and length 0");
  }
  const runs: number[] = [];
  let sum = 0;
  let index = 0;
  while (index < bytes.length) {
    let run = 0;
    let scale = 1;
    for (let place = 0; ; place++) {
      if (index >= bytes.length) throw new MaskError("a run length is cut off");
      if (place >= MAX_RUN_BYTES) throw new MaskError("a run length has too many bytes");
      const byte = bytes[index++]!;
      run += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) break;
    }
    if (run === 0 && runs.length > 0) throw new MaskError("a run has no pixels");
    sum += run;
    if (sum > total) throw new MaskError(`the runs have more than the box's ${total} pixels`);
    runs.push(run);
  }
  if (sum !== total) throw new MaskError(`the runs have ${sum} pixels, the box ${total}`);
  const bits = new Uint8Array(total);
  let place = 0;
  for (let run = 0; run < runs.length; run++) {
    if (run % 2 === 1) bits.fill(1, place, place + runs[run]!);
    place += runs[run]!;
  }
  return bits;
}

/** Calls back with each row's part of each run of ones: of a box `width` wide, from pixel x0 to before x1 of row y. */
export function eachRun(bytes: Uint8Array, width: number, visit: (y: number, x0: number, x1: number) => void): void {
  let place = 0;
  let one = false;
  for (let index = 0; index < bytes.length; one = !one) {
    let run = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[index++]!;
      run |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const stop = place + run;
    while (one && place < stop) {
      const y = Math.floor(place / width);
      const end = Math.min(stop, (y + 1) * width);
      visit(y, place - y * width, end - y * width);
      place = end;
    }
    place = stop;
  }
}

export function toRuns(mask: BoxMask): Uint8Array<ArrayBuffer> {
  return encodeRuns(mask.bits);
}

export function fromRuns(x: number, y: number, width: number, height: number, bytes: Uint8Array): BoxMask {
  for (const place of [x, y]) {
    if (!Number.isInteger(place) || place < 0) throw new MaskError(`a mask cannot stand at ${x}, ${y}`);
  }
  return new BoxMask(x, y, width, height, decodeRuns(bytes, width, height));
}
