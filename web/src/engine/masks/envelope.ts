import { BoxMask } from "./mask";
import { fromRuns, MaskError, toRuns } from "./rle";

/** The body is not an envelope, or it is damaged. */
export class EnvelopeError extends Error {
  override name = "EnvelopeError";
}

export const MEDIA_TYPE = "application/vnd.dentasam.masks";

const MAGIC = [0x44, 0x53, 0x4d, 0x31]; // DSM1
const KEYS = ["height", "length", "offset", "width", "x", "y"];

/** A document with a `BoxMask` anywhere in it as bytes: the JSON with references, then the masks back to back. */
export function pack(document: unknown): Uint8Array<ArrayBuffer> {
  const blobs: Uint8Array[] = [];
  let offset = 0;
  const text = JSON.stringify(refer(document));
  const json = new TextEncoder().encode(text);
  const body = new Uint8Array(8 + json.length + offset);
  body.set(MAGIC);
  new DataView(body.buffer).setUint32(4, json.length, true);
  body.set(json, 8);
  let place = 8 + json.length;
  for (const blob of blobs) {
    body.set(blob, place);
    place += blob.length;
  }
  return body;

  function refer(value: unknown): unknown {
    if (value instanceof BoxMask) {
      const mask = value.tight();
      const blob = toRuns(mask);
      const { x, y, width, height } = mask;
      const reference = { x, y, width, height, offset, length: blob.length };
      blobs.push(blob);
      offset += blob.length;
      return reference;
    }
    if (Array.isArray(value)) return value.map(refer);
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, refer(entry)]));
    }
    return value;
  }
}

/** The document of an envelope, every reference replaced by its `BoxMask`. Raises `EnvelopeError`. */
export function unpack(body: Uint8Array | ArrayBuffer): unknown {
  const bytes = body instanceof Uint8Array ? body : new Uint8Array(body);
  if (bytes.length < 8 || MAGIC.some((byte, index) => bytes[index] !== byte)) {
    throw new EnvelopeError("the body does not begin with DSM1");
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true);
  if (8 + length > bytes.length) throw new EnvelopeError("the document is cut off");
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch {
    throw new EnvelopeError("the document is not JSON in UTF-8");
  }
  const blobs = bytes.subarray(8 + length);
  return resolve(document);

  function resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(resolve);
    if (value === null || typeof value !== "object") return value;
    const entries = Object.entries(value);
    if (entries.length === KEYS.length && KEYS.every((key) => key in value)) return maskOf(value);
    return Object.fromEntries(entries.map(([key, entry]) => [key, resolve(entry)]));
  }

  function maskOf(value: object): BoxMask {
    const numbers = new Map<string, number>(Object.entries(value));
    const number = (key: string): number => {
      const found = numbers.get(key);
      if (typeof found !== "number" || !Number.isInteger(found) || found < 0) {
        throw new EnvelopeError(`a mask's ${key} must be a whole number from 0`);
      }
      return found;
    };
    const start = number("offset");
    const stop = start + number("length");
    if (stop > blobs.length) throw new EnvelopeError("a mask's bytes lie beyond the end");
    try {
      return fromRuns(number("x"), number("y"), number("width"), number("height"), blobs.subarray(start, stop));
    } catch (error) {
      if (error instanceof MaskError) throw new EnvelopeError(error.message);
      throw error;
    }
  }
}
