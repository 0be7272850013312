import { expect, it } from "vitest";

import { ApiError } from "../../api/errors";
import type { CaseSummary } from "../../api/types";
import { FileUploads } from "./file_uploads";

const LIMITS = { pixels: 1000, body_bytes: 1000, image_bytes: 2 ** 20 };
const file = (name: string, size = 3) => new File([new Uint8Array(size)], name);

it("sends files one after the other and says of each what became of it", async () => {
  const sent: string[] = [];
  const cases: CaseSummary[] = [];
  let under = 0;
  let imports = 0;
  const uploads = new FileUploads(
    { no_images: null, limits: LIMITS },
    { added: (one) => cases.push(one), imported: () => imports++ },
    {
      importAnnotations: async () => ({
        objects: 3,
        cases: 2,
        passed_over: { images: 0, objects: 0, entries: [] },
        notes: ["lines left out: 1"],
      }),
      addImage: async ({ name }, share) => {
        expect(++under).toBe(1);
        sent.push(name);
        share(0.5);
        expect(uploads.get().list.find((one) => one.name === name)).toMatchObject({ state: "sending", share: 0.5 });
        await Promise.resolve();
        under--;
        if (name === "bad.png") throw new ApiError(422, "bad.png is damaged");
        return { case: { name } as CaseSummary, known: name === "old.png" };
      },
    },
  );
  await uploads.add([
    file("a.png"),
    file("bad.png"),
    { folder: "scans" },
    file("huge.png", 2 ** 20 + 1),
    file("old.png"),
    file("set.json"),
  ]);
  expect(sent).toEqual(["a.png", "bad.png", "old.png"]);
  expect(uploads.get().list.map(({ name, state }) => [name, state])).toEqual([
    ["a.png", "added"],
    ["bad.png", "refused"],
    ["scans", "refused"],
    ["huge.png", "refused"],
    ["old.png", "known"],
    ["set.json", "imported"],
  ]);
  expect(imports).toBe(1);
  const details = uploads.get().list.map(({ detail }) => detail);
  expect(details[1]).toBe("bad.png is damaged");
  expect(details[2]).toContain("is a folder");
  expect(details[3]).toContain("more than 1 MB");
  expect(details[5]).toBe("3 objects in 2 cases");
  expect(uploads.get().list.map(({ notes }) => notes.length)).toEqual([0, 0, 0, 0, 0, 1]);
  expect(cases.map(({ name }) => name)).toEqual(["a.png", "old.png"]);
  uploads.clear();
  expect(uploads.get().list).toEqual([]);
});

it("sends no image where none can be added, and says why", async () => {
  const uploads = new FileUploads(
    { no_images: "these images come from a COCO file", limits: LIMITS },
    { added: () => undefined, imported: () => undefined },
    {
      addImage: () => {
        throw new Error("nothing is to be sent");
      },
      importAnnotations: async () => ({
        objects: 0,
        cases: 0,
        passed_over: { images: 0, objects: 0, entries: [] },
        notes: ["lines left out: 1"],
      }),
    },
  );
  await uploads.add([file("a.png")]);
  expect(uploads.get().list).toMatchObject([{ state: "refused", detail: "these images come from a COCO file" }]);
});

it("sends a file again with the numbering that was asked for", async () => {
  const given: (string | undefined)[] = [];
  const uploads = new FileUploads(
    { no_images: null, limits: LIMITS },
    { added: () => undefined, imported: () => undefined },
    {
      addImage: () => {
        throw new Error("nothing is to be sent");
      },
      importAnnotations: async (_file, _sent, numbering) => {
        given.push(numbering);
        if (!numbering) throw new ApiError(422, "its names do not tell", "numbering");
        return { objects: 1, cases: 1, passed_over: { images: 0, objects: 0, entries: [] }, notes: [] };
      },
    },
  );
  await uploads.add([file("set.json"), file("other.json")]);
  expect(uploads.get().list.map(({ state }) => state)).toEqual(["asked", "asked"]);
  const [first, second] = uploads.get().list.map(({ key }) => key);
  await uploads.answer(first as number, "palmer");
  // A second press of the button sends nothing.
  await uploads.answer(first as number, "fdi");
  expect(given).toEqual([undefined, undefined, "palmer"]);
  expect(uploads.get().list.map(({ state }) => state)).toEqual(["imported", "asked"]);
  uploads.clear();
  await uploads.answer(second as number, "fdi");
  expect(given).toHaveLength(3);
});

it("shows characters of a name that nobody sees, also in what the server says of it", async () => {
  const uploads = new FileUploads(
    { no_images: null, limits: LIMITS },
    { added: () => undefined, imported: () => undefined },
    {
      importAnnotations: async () => ({
        objects: 0,
        cases: 0,
        passed_over: {
          images: 0,
          objects: 1,
          entries: [{ image: "b\u202e.png", annotation: 3, reason: "is empty" }],
        },
        notes: ["left out: \u009b2J"],
      }),
      addImage: async ({ name }) => {
        throw new ApiError(422, `${name} is damaged`);
      },
    },
  );
  await uploads.add([file("gnp\u202e.png"), { folder: "\u2066scans" }, file("set.json")]);
  const [image, folder, annotations] = uploads.get().list;
  expect(image).toMatchObject({ name: "gnp\\u202e.png", detail: "gnp\\u202e.png is damaged" });
  expect(folder?.name).toBe("\\u2066scans");
  expect(annotations).toMatchObject({ notes: ["left out: \\u009b2J"] });
  expect(annotations?.detail).toContain("b\\u202e.png, is empty");
});
