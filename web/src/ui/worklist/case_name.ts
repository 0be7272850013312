const LONGEST = 36;
/** Names of one series differ in their ends, so more of the end is kept. */
const HEAD = 14;

/** A name that fits a few short lines: of a longer one the middle is left out. */
export function fitted(name: string, longest = LONGEST): string {
  const signs = [...name];
  if (signs.length <= longest) return name;
  const head = Math.min(HEAD, Math.floor(longest / 2));
  return `${signs.slice(0, head).join("")}…${signs.slice(signs.length - (longest - head - 1)).join("")}`;
}
