import { expect, it } from "vitest";

import { holdsAnnotations, importedText } from "./annotation_files";

const file = (name: string, content = "") => new File([content], name);

it("tells annotations from images by name, and DICOM segmentations by their class", async () => {
  for (const name of ["a.json", "A.XML", "set.zip", "set.tar.gz", "masks.nii.gz"])
    expect(await holdsAnnotations(file(name)), name).toBe(true);
  for (const name of ["a.png", "a.JPG", "a.tif", "notes.txt", "IM0001", "a.dcm"])
    expect(await holdsAnnotations(file(name, "1.2.840.10008.5.1.4.1.1.1.1")), name).toBe(false);
  expect(await holdsAnnotations(file("seg.dcm", "DICM\x02\x001.2.840.10008.5.1.4.1.1.66.4\0"))).toBe(true);
});

it("says what an import brought", () => {
  const entries = [
    { image: "c.png", annotation: null, reason: "it is not in the worklist" },
    { image: "b.png", annotation: 3, reason: "it has no mask" },
    { image: "d.png", annotation: null, reason: "it is not in the worklist" },
    { image: "e.png", annotation: null, reason: "another result for the same image came before it" },
  ];
  expect(importedText({ objects: 3, cases: 1, passed_over: { images: 0, objects: 0, entries: [] }, notes: [] })).toBe(
    "3 objects in 1 case",
  );
  expect(importedText({ objects: 0, cases: 0, passed_over: { images: 3, objects: 1, entries }, notes: [] })).toBe(
    "nothing new; 3 images passed over (it is not in the worklist; another result for the same image came before it); " +
      "passed over: b.png, it has no mask",
  );
});
