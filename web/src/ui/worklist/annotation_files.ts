import type { ImportedAnnotations } from "../../api/types";

/** Suffixes of annotation files and of archives of them. */
const SUFFIXES = [".json", ".xml", ".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".nii", ".nii.gz"];
/** The SOP class of DICOM segmentations, which the first elements of a file name. */
const SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4";
const FIRST_BYTES = 4096;

/** Whether a file holds annotations of images rather than an image. */
export async function holdsAnnotations(file: File): Promise<boolean> {
  const name = file.name.toLowerCase();
  if (SUFFIXES.some((suffix) => name.endsWith(suffix))) return true;
  if (/\.(png|jpe?g|tiff?)$/.test(name)) return false;
  const head = new Uint8Array(await file.slice(0, FIRST_BYTES).arrayBuffer());
  return new TextDecoder("latin1").decode(head).includes(SEGMENTATION);
}

/** What an import brought, in a few words. */
export function importedText({ objects, cases, passed_over }: ImportedAnnotations): string {
  const parts = [objects ? `${counted(objects, "object")} in ${counted(cases, "case")}` : "nothing new"];
  const { images, entries } = passed_over;
  if (images) parts.push(`${counted(images, "image")} passed over (${reasonsOf(entries)})`);
  const [first] = entries.filter(({ annotation }) => annotation !== null);
  if (first) parts.push(`passed over: ${first.image}, ${first.reason}`);
  return parts.join("; ");
}

/** Why images were passed over, each reason once. */
function reasonsOf(entries: ImportedAnnotations["passed_over"]["entries"]): string {
  return [...new Set(entries.filter(({ annotation }) => annotation === null).map(({ reason }) => reason))].join("; ");
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;
