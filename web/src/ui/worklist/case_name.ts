const MAX_LENGTH = 36;
/** Names of one series differ at their ends, so more of the end is kept. */
const HEAD = 14;

/** A name for a few short lines: the middle of a longer one is left out. */
export function fitted(name: string, longest = MAX_LENGTH): string {
  const signs = [...name];
  if (signs.length <= longest) return name;
  const head = Math.min(HEAD, Math.floor(longest / 2));
  return `${signs.slice(0, head).join("")}…${signs.slice(signs.length - (longest - head - 1)).join("")}`;
}
