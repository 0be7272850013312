// C0 controls but tab and line break, DEL and C1 controls, marks and overrides of the writing direction, and separators
// of lines: those of dentasam/visible_text.py.
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

// Of those, the marks that writers of Arabic and Hebrew need in sentences and titles, and separators of lines.
const OF_SENTENCES = new Set("\u061c\u200e\u200f\u2028\u2029");

const escaped = (letter: string) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A name as people read it: characters that nobody sees, and that change how the rest is read, become `\uXXXX`. */
export function visible(name: string): string {
  return name.replace(UNSEEN, escaped);
}

/** The same of sentences and titles; sentences are shown in an element with `dir="auto"`. */
export function visibleSentences(text: string): string {
  return text.replace(UNSEEN, (letter) => (OF_SENTENCES.has(letter) ? letter : escaped(letter)));
}
