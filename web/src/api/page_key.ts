/**
 * The second half of the session: a browser sends the cookie to all ports of the host, also to those of other programs.
 * The server gives the key to this page's origin alone, once somebody has signed in, and wants it with each request.
 */
export const KEY_HEADER = "X-Page-Key";
const STORED = "dentasam-key";

/** Read anew for each request, since signing in again in another tab changes it. Empty where there is none. */
export function pageKey(): string {
  try {
    return localStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

/** The address of a picture, a download or a form, which cannot carry the header. */
export function withKey(path: string, options = new URLSearchParams()): string {
  const key = pageKey();
  if (key) options.set("key", key);
  return options.size ? `${path}?${options.toString()}` : path;
}
