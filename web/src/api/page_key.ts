/**
 * The second half of the session: a browser sends the cookie to all ports of the host, also to those of other programs.
 * The server gives the key to this page's origin alone, once somebody has signed in, and wants it with each request.
 */
export const KEY_HEADER = "X-Page-Key";
const STORED = "dentasam-key";

// Where the browser keeps nothing, for as long as the page is open.
let kept = "";

/** Takes the key that came with the page, and removes from the address bar what it was given for. */
export function takeKey(): void {
  const given = document.querySelector<HTMLMetaElement>(`meta[name="${STORED}"]`);
  if (given) {
    kept = given.content;
    given.remove();
    try {
      localStorage.setItem(STORED, kept);
    } catch {
      // The page works until it is loaded again.
    }
  }
  if (location.search) history.replaceState(null, "", location.pathname + location.hash);
}

/** Read anew for each request, since signing in again in another tab changes it. Empty where there is none. */
export function pageKey(): string {
  try {
    return localStorage.getItem(STORED) ?? kept;
  } catch {
    return kept;
  }
}

/** The address of a picture, a download or a form, which cannot carry the header. */
export function withKey(path: string, options = new URLSearchParams()): string {
  const key = pageKey();
  if (key) options.set("key", key);
  return options.size ? `${path}?${options.toString()}` : path;
}
