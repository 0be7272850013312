/**
 * Where an FDI number stands in chart order: along the upper arch from the picture's left to its right, a deciduous
 * tooth right after the permanent one that follows it, then along the lower arch. What is not a tooth comes last.
 */
export function chartPlace(number: string): number {
  const place = /^(?:[1-4][1-8]|[5-8][1-5])$/.test(number) ? number : null;
  if (place === null) return LAST;
  const deciduous = place >= "5";
  const quadrant = Number(place[0]) - (deciduous ? 4 : 0);
  const tooth = Number(place[1]);
  const upper = quadrant < 3;
  // The patient's right is on the picture's left.
  const along = quadrant === 1 || quadrant === 4 ? TEETH - tooth : TEETH - 1 + tooth;
  return 2 * (along + (upper ? 0 : 2 * TEETH)) + (deciduous ? 1 : 0);
}

const TEETH = 8;
const LAST = 8 * TEETH;
