import { describe, expect, it } from "vitest";
import { EnvelopeError, pack, unpack } from "./envelope";
import golden from "./golden.envelope.json";
import { BoxMask } from "./mask";

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const bytesOf = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** The golden document; its masks are written as x, y and rows of 0 and 1. */
function goldenDocument(): unknown {
  return JSON.parse(JSON.stringify(golden.document), (_, value: unknown) => {
    if (value === null || typeof value !== "object" || !("rows" in value)) return value;
    const { x, y, rows } = value as { x: number; y: number; rows: string[] };
    const bits = Uint8Array.from(rows.join(""), Number);
    return new BoxMask(x, y, rows[0]?.length ?? 0, rows.length, bits);
  });
}

function withDocument(text: string, blobs: number[] = []): Uint8Array {
  const json = new TextEncoder().encode(text);
  const head = new Uint8Array(8);
  head.set([0x44, 0x53, 0x4d, 0x31]);
  new DataView(head.buffer).setUint32(4, json.length, true);
  return Uint8Array.from([...head, ...json, ...blobs]);
}

describe("the envelope", () => {
  it("has the bytes that the server agrees on", () => {
    expect(hex(pack(goldenDocument()))).toBe(golden.hex);
    expect(unpack(bytesOf(golden.hex))).toEqual(goldenDocument());
  });

  it("carries masks at any depth and leaves the rest alone", () => {
    const mask = new BoxMask(7, 9, 3, 2, Uint8Array.of(1, 0, 1, 0, 1, 1));
    const document = { a: [{ mask }, null, "é", 1.5], b: { c: mask, d: { x: 1, y: 2 } }, none: BoxMask.empty() };
    expect(unpack(pack(document))).toEqual(document);
  });

  it("sends the smallest box", () => {
    const bits = new Uint8Array(100);
    bits[34] = 1;
    expect(unpack(pack(new BoxMask(10, 20, 10, 10, bits)))).toEqual(new BoxMask(14, 23, 1, 1, Uint8Array.of(1)));
  });

  it("leaves out what is undefined, as JSON does", () => {
    expect(unpack(pack({ a: undefined, b: 1 }))).toEqual({ b: 1 });
  });

  it("can be read from the middle of a buffer", () => {
    const body = pack({ mask: new BoxMask(0, 0, 1, 1, Uint8Array.of(1)) });
    const larger = new Uint8Array(body.length + 6);
    larger.set(body, 3);
    expect(unpack(larger.subarray(3, 3 + body.length))).toEqual(unpack(body));
  });

  const reference = (change: object) =>
    JSON.stringify({ mask: { x: 0, y: 0, width: 2, height: 1, offset: 0, length: 2, ...change } });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["another kind of body", Uint8Array.from([0x50, 0x4b, 3, 4, 0, 0, 0, 0])],
    ["a document cut off", withDocument('{"a":1}').subarray(0, 12)],
    ["no JSON", withDocument("{")],
    ["no UTF-8", Uint8Array.from([0x44, 0x53, 0x4d, 0x31, 3, 0, 0, 0, 0x22, 0xff, 0x22])],
    ["bytes beyond the end", withDocument(reference({ length: 3 }), [1, 1])],
    ["a negative offset", withDocument(reference({ offset: -1 }), [1, 1])],
    ["text for a number", withDocument(reference({ width: "2" }), [1, 1])],
    ["runs that do not add up", withDocument(reference({ width: 3 }), [1, 1])],
  ])("refuses %s", (_, body) => {
    expect(() => unpack(body)).toThrow(EnvelopeError);
  });
});
