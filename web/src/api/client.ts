import { MEDIA_TYPE, pack, unpack } from "../engine/masks/envelope";
import { ApiError, OfflineError, RevisionConflict } from "./errors";
import { KEY_HEADER, pageKey, withKey } from "./page_key";
import type { ExpectedSession } from "./sync/transport";
import type {
  CaseComment,
  CaseDocument,
  CaseImage,
  CaseSummary,
  ConflictReply,
  DatasetFormat,
  ImportedAnnotations,
  LogDocument,
  Numbering,
  Numbers,
  ObjectToNumber,
  Operation,
  Picture,
  Prediction,
  PredictRequest,
  Problem,
  Progress,
  ProposalsSwitch,
  Refinement,
  RefineRequest,
  Session,
  Stored,
  TimeInterval,
} from "./types";

async function send(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    const headers = { ...(init.headers as Record<string, string> | undefined), [KEY_HEADER]: pageKey() };
    response = await fetch(path, { credentials: "same-origin", ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new OfflineError();
  }
  return response;
}

async function failure(response: Response): Promise<ApiError> {
  const status = `${response.status} ${response.statusText}`.trim();
  try {
    const { detail, damaged } = (await response.json()) as Partial<Problem>;
    return new ApiError(response.status, typeof detail === "string" ? detail : status, null, damaged ?? []);
  } catch {
    // Not JSON: the status line is used.
    return new ApiError(response.status, status);
  }
}

async function checked(path: string, init?: RequestInit): Promise<Response> {
  const response = await send(path, init);
  if (!response.ok) throw await failure(response);
  return response;
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await checked(path, init)).json()) as T;
}

function withJson(method: string, body: unknown): RequestInit {
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

function sessionHeaders(expected?: ExpectedSession): Record<string, string> {
  if (!expected) return {};
  return { "X-Workspace": expected.workspace, "X-Annotator": encodeURIComponent(expected.annotator) };
}

function withEnvelope(document: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method: "POST", headers: { "Content-Type": MEDIA_TYPE, ...headers }, body: pack(document) };
}

async function enveloped<T>(response: Response): Promise<T> {
  return unpack(new Uint8Array(await response.arrayBuffer())) as T;
}

function revisionOf(response: Response, fallback: number): number {
  const tag = response.headers.get("ETag")?.match(/(\d+)/);
  return tag ? Number(tag[1]) : fallback;
}

function header(response: Response, name: string): number {
  const value = Number(response.headers.get(name));
  if (!Number.isFinite(value)) throw new ApiError(response.status, `The server sent no ${name}.`);
  return value;
}

export const session = (): Promise<Session> => json<Session>("/api/session");

export const cases = (): Promise<CaseSummary[]> => json<CaseSummary[]>("/api/cases");

export const progress = (): Promise<Progress> => json<Progress>("/api/progress");

/** `picture`: what the file holds, so that the browser asks again once that changes. */
export const thumbnailUrl = (id: number, picture?: string): string =>
  withKey(`/api/cases/${id}/thumbnail`, new URLSearchParams(picture ? { picture } : {}));

export async function readCase(id: number): Promise<{ document: CaseDocument; revision: number }> {
  const response = await checked(`/api/cases/${id}`);
  const document = await enveloped<CaseDocument>(response);
  return { document, revision: revisionOf(response, document.case.revision) };
}

export async function pixels(id: number): Promise<CaseImage> {
  const response = await checked(`/api/cases/${id}/pixels`);
  const body = await response.arrayBuffer();
  const bits = header(response, "X-Image-Bits") === 16 ? 16 : 8;
  const width = header(response, "X-Image-Width");
  const height = header(response, "X-Image-Height");
  if (body.byteLength !== width * height * (bits / 8))
    throw new ApiError(response.status, "The picture arrived incomplete.");
  return {
    width,
    height,
    bits,
    low: header(response, "X-Image-Low"),
    high: header(response, "X-Image-High"),
    picture: response.headers.get("X-Image-Picture") ?? "",
    pixels: bits === 16 ? new Uint16Array(body) : new Uint8Array(body),
  };
}

/** What the case's file holds now. */
export const picture = (id: number): Promise<Picture> => json<Picture>(`/api/cases/${id}/picture`);

/** Uploads an image file to the worklist; `sent` gets the share that was sent, 0 to 1. `known`: the image was there already. */
export async function addImage(
  file: File,
  sent: (share: number) => void,
): Promise<{ case: CaseSummary; known: boolean }> {
  const { status, answer } = await upload<CaseSummary>("/api/images", file, sent);
  return { case: answer, known: status === 200 };
}

/**
 * Brings the objects of an annotation file, or of an archive of such files, into the cases of the worklist.
 * `numbering`: how its teeth are numbered; recognised if left out. Raises ApiError, which asks for it where it must be given.
 */
export const importAnnotations = async (
  file: File,
  sent: (share: number) => void,
  numbering?: Numbering,
): Promise<ImportedAnnotations> =>
  (await upload<ImportedAnnotations>("/api/import", file, sent, numbering && { numbering })).answer;

export const formats = (): Promise<DatasetFormat[]> => json<DatasetFormat[]>("/api/formats");

function upload<T>(
  path: string,
  file: File,
  sent: (share: number) => void,
  options: Record<string, string> = {},
): Promise<{ status: number; answer: T }> {
  // fetch does not report the progress of an upload.
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    request.open("POST", `${path}?${new URLSearchParams({ name: file.name, ...options }).toString()}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader(KEY_HEADER, pageKey());
    request.upload.onprogress = ({ loaded, total }) => sent(total > 0 ? loaded / total : 0);
    request.onerror = () => reject(new OfflineError());
    request.onload = () => {
      const { status } = request;
      try {
        const answer = JSON.parse(request.responseText) as T & Partial<Problem>;
        if (status === 200 || status === 201) resolve({ status, answer });
        else reject(new ApiError(status, answer.detail ?? `${status}`, answer.asks));
      } catch {
        reject(new ApiError(status, `${status} ${request.statusText}`.trim()));
      }
    };
    request.send(file);
  });
}

/** Appends to the log of a case. Raises RevisionConflict where the case moved on since `revision`. */
export async function append(
  id: number,
  revision: number,
  operations: readonly Operation[],
  expected?: ExpectedSession,
): Promise<Stored> {
  const response = await send(
    `/api/cases/${id}/operations`,
    withEnvelope({ operations }, { "If-Match": `"${revision}"`, ...sessionHeaders(expected) }),
  );
  if (response.status === 409) throw new RevisionConflict(await enveloped<ConflictReply>(response));
  if (!response.ok) throw await failure(response);
  return (await response.json()) as Stored;
}

export async function operationsSince(id: number, since: number, expected?: ExpectedSession): Promise<LogDocument> {
  return enveloped(
    await checked(`/api/cases/${id}/operations?since=${since}`, { headers: sessionHeaders(expected) }),
  );
}

export async function predict(id: number, objects: PredictRequest[], signal?: AbortSignal): Promise<Prediction> {
  return enveloped(await checked(`/api/cases/${id}/predict`, { ...withEnvelope({ objects }), signal }));
}

export async function refine(id: number, objects: RefineRequest[], signal?: AbortSignal): Promise<Refinement> {
  return enveloped(await checked(`/api/cases/${id}/refine`, { ...withEnvelope({ objects }), signal }));
}

/** Offers numbers for the objects that are given without one, beside all others of the case. */
export const number = (id: number, objects: ObjectToNumber[], signal?: AbortSignal): Promise<Numbers> =>
  json<Numbers>(`/api/cases/${id}/number`, { ...withJson("POST", { objects }), signal });

/** Turns the model's proposals in this workspace on or off. */
export const switchProposals = (on: boolean): Promise<ProposalsSwitch> =>
  json<ProposalsSwitch>("/api/proposals", withJson("PUT", { on }));

export async function announce(id: number): Promise<void> {
  await checked(`/api/cases/${id}/open`, { method: "POST" });
}

export const addComment = (id: number, text: string): Promise<CaseComment> =>
  json<CaseComment>(`/api/cases/${id}/comments`, withJson("POST", { text }));

export async function sendTime(id: number, intervals: TimeInterval[], keepalive = false): Promise<void> {
  await checked(`/api/cases/${id}/time`, { ...withJson("POST", { intervals }), keepalive });
}

/** The address of the labels of all cases as a file. */
export function exportUrl(format: string, finished: boolean, numbering = "fdi"): string {
  const options = new URLSearchParams();
  if (finished) options.set("finished", "true");
  if (numbering !== "fdi") options.set("numbering", numbering);
  return withKey(`/api/export/${format}`, options);
}

/** Where the form that signs out goes. */
export const signOutUrl = (): string => withKey("/logout");
