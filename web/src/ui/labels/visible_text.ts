// What steers a line, and in sentences and names alike becomes a code: C0 controls but tab and line break, DEL and C1
// controls, marks and overrides of the writing direction, and separators of lines.
const STEERING =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

// In names also what has no width, but the joiners that Persian and emoji need: those of dentasam/visible_text.py.
const NO_WIDTH =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: each of them is looked for alone
  /[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e00ff}\u{e01f0}-\u{e0fff}]/gu;

// And variation selectors, but behind what has other forms: emoji, keys such as 1️⃣, and ideographs.
const OF_EMOJI = /([\u00a9\u00ae\u203c-\u3299\u{1f000}-\u{1faff}]?)([\ufe0e\ufe0f])(?!\u20e3)/gu;
const OF_IDEOGRAPHS = /([\u2e80-\u9fff\uf900-\ufaff\u{20000}-\u{3ffff}]?)([\ufe00-\ufe0d\u{e0100}-\u{e01ef}])/gu;

// Of those that steer, the marks that writers of Arabic and Hebrew need in sentences and titles, and separators of lines.
const OF_SENTENCES = new Set("\u061c\u200e\u200f\u2028\u2029");

const hexadecimal = (letter: string, digits: number) =>
  (letter.codePointAt(0) ?? 0).toString(16).padStart(digits, "0");

const escaped = (letter: string) =>
  letter.length === 1 ? `\\u${hexadecimal(letter, 4)}` : `\\U${hexadecimal(letter, 8)}`;

/** A name as people read it: characters that nobody sees, and that change how the rest is read, become `\uXXXX`. */
export function visible(name: string): string {
  const selected = (found: string, before: string, selector: string) => (before ? found : escaped(selector));
  const shown = name.replace(OF_EMOJI, selected).replace(OF_IDEOGRAPHS, selected);
  return shown.replace(NO_WIDTH, escaped).replace(STEERING, escaped);
}

/** Sentences and titles, shown in an element with `dir="auto"`: what steers a line becomes `\uXXXX`; emoji stay whole. */
export function visibleSentences(text: string): string {
  return text.replace(STEERING, (letter) => (OF_SENTENCES.has(letter) ? letter : escaped(letter)));
}
