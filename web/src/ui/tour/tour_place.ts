export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

const GAP = 12;
/** On narrower pages the card is at the lower edge, over the whole width. */
const NARROW = 600;

/** Where to place the card of the tour: beside its target, inside the page, and never in the middle of a large target. */
export function cardPlace(
  target: Box | null,
  card: { width: number; height: number },
  page: { width: number; height: number },
): { left: number; top: number } {
  const clamp = (value: number, size: number, room: number) => Math.max(GAP, Math.min(value, room - size - GAP));
  const place = (left: number, top: number) => ({
    left: clamp(left, card.width, page.width),
    top: clamp(top, card.height, page.height),
  });
  if (!target || page.width < NARROW) return place((page.width - card.width) / 2, page.height);
  const large = target.width * target.height > 0.3 * page.width * page.height;
  if (large) return place(target.left + GAP, target.top + target.height - card.height - GAP);
  if (target.height < 60) {
    const below = target.top + target.height + GAP;
    const fits = below + card.height + GAP <= page.height;
    return place(target.left, fits ? below : target.top - card.height - GAP);
  }
  const right = target.left + target.width + GAP;
  const fits = right + card.width + GAP <= page.width;
  return place(fits ? right : target.left - card.width - GAP, target.top);
}
