/**
 * Colours for objects on a grey picture: Okabe and Ito's and Tol's sets for colour-blind readers without black and
 * grey, ordered so that neighbours in the list differ in lightness as well as in hue.
 */
export const PALETTE: readonly string[] = [
  "#e69f00",
  "#56b4e9",
  "#cc3311",
  "#f0e442",
  "#0072b2",
  "#cc79a7",
  "#009e73",
  "#ee7733",
  "#33bbee",
  "#ee3377",
  "#ddcc77",
  "#aa4499",
  "#44aa99",
  "#ffaabb",
];

/** Proposals that the model is unsure of; none of the colours that the default schema gives to labels. */
export const UNSURE_COLOUR = "#ff8c1a";

/** The colour of the nth object when its class has none of its own. */
export function colourAt(index: number): string {
  return PALETTE[((index % PALETTE.length) + PALETTE.length) % PALETTE.length]!;
}

/** "#rrggbb" as red, green, blue, 0..255. */
export function rgbOf(colour: string): [number, number, number] {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (match === null) throw new RangeError(`a colour is written #rrggbb, not ${colour}`);
  return [parseInt(match[1]!, 16), parseInt(match[2]!, 16), parseInt(match[3]!, 16)];
}
