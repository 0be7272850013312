/** How pixel values become brightness. Display only: neither the model nor the masks depend on it. */
export interface Levels {
  /** The values shown as black and as white. */
  low: number;
  high: number;
  /** Above 1 lifts the dark parts. */
  gamma: number;
  invert: boolean;
}

export const MIN_GAMMA = 0.2;
export const MAX_GAMMA = 5;

/** Levels that every renderer can use: high above low, gamma within its limits. */
export function validLevels(levels: Levels): Levels {
  const low = Number.isFinite(levels.low) ? levels.low : 0;
  const high = Number.isFinite(levels.high) && levels.high > low ? levels.high : low + 1;
  const gamma = Number.isFinite(levels.gamma) ? Math.min(MAX_GAMMA, Math.max(MIN_GAMMA, levels.gamma)) : 1;
  return { low, high, gamma, invert: levels.invert };
}

/** Brightness 0..1 of one pixel value; the same formula as in the shader. */
export function brightness(value: number, levels: Levels): number {
  const { low, high, gamma, invert } = validLevels(levels);
  const share = Math.min(1, Math.max(0, (value - low) / (high - low)));
  const bright = share ** (1 / gamma);
  return invert ? 1 - bright : bright;
}

/** Brightness 0..255 of every value of an 8- or 16-bit image. */
export function lookupTable(levels: Levels, bits: 8 | 16): Uint8Array {
  const table = new Uint8Array(bits === 8 ? 256 : 65536);
  for (let value = 0; value < table.length; value++) table[value] = Math.round(brightness(value, levels) * 255);
  return table;
}

/** The window as radiologists name it. */
export function windowOf(levels: Levels): { width: number; centre: number } {
  return { width: levels.high - levels.low, centre: (levels.high + levels.low) / 2 };
}

export function withWindow(levels: Levels, width: number, centre: number): Levels {
  const span = Math.max(1, width);
  return { ...levels, low: centre - span / 2, high: centre + span / 2 };
}

/** The window after a drag of (dx, dy) CSS pixels: across changes the width, down the centre; `span` is the image's own. */
export function draggedWindow(levels: Levels, span: number, dx: number, dy: number): { low: number; high: number } {
  const step = span / 500;
  const width = Math.max(span / 200, levels.high - levels.low + dx * step);
  const centre = (levels.high + levels.low) / 2 + dy * step;
  return { low: centre - width / 2, high: centre + width / 2 };
}
