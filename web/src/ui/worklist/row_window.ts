import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from "react";

/** A list of at most so many rows is on the page as a whole. */
export const MAX_WHOLE = 300;
/** Of a row that was never on the page, in pixels; as in worklist.css. */
export const ROW_HEIGHT = 56;
/** So many pixels above and below the visible part are on the page too, so that scrolling shows no gaps. */
const MARGIN = 800;

/** The rows first … last - 1 are on the page; `above` and `below` are the heights of the others, in pixels. */
export interface RowWindow {
  first: number;
  last: number;
  above: number;
  below: number;
}

/** The rows of a scrolled list that are in view or near it. `height` gives the height of a row. */
export function rowsInView(
  count: number,
  height: (row: number) => number,
  scrolled: number,
  visible: number,
): RowWindow {
  if (count <= MAX_WHOLE) return { first: 0, last: count, above: 0, below: 0 };
  const [from, to] = [scrolled - MARGIN, scrolled + visible + MARGIN];
  let [first, last, above, below, bottom] = [0, 0, 0, 0, 0];
  for (let row = 0; row < count; row++) {
    const top = bottom;
    bottom += height(row);
    if (bottom <= from) [first, above] = [row + 1, bottom];
    if (top < to) last = row + 1;
    else below += bottom - top;
  }
  // A list that became shorter may be scrolled beyond its end for a moment.
  if (first >= last) return rowsInView(count, height, bottom - visible, visible);
  return { first, last, above, below };
}

/** Renders only rows near the visible part of a long list. `ids` are those of its rows, in order. */
export function useRowWindow(
  list: RefObject<HTMLElement | null>,
  ids: readonly number[],
): RowWindow & { reveal: (row: number) => void } {
  const heights = useRef(new Map<number, number>());
  const height = useCallback((row: number) => heights.current.get(ids[row] as number) ?? ROW_HEIGHT, [ids]);
  const [place, setPlace] = useState({ scrolled: 0, visible: 2 * MARGIN });
  const rows = rowsInView(ids.length, height, place.scrolled, place.visible);

  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const look = () => setPlace({ scrolled: element.scrollTop, visible: element.clientHeight });
    const sizes = new ResizeObserver(look);
    sizes.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    look();
    return () => {
      sizes.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [list]);

  useLayoutEffect(() => {
    if (ids.length <= MAX_WHOLE) return;
    // A list that is hidden has no heights.
    for (const row of list.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])
      if (row.offsetHeight > 0) heights.current.set(Number(row.dataset.row), row.offsetHeight);
  });

  const reveal = useCallback(
    (row: number) => {
      const element = list.current;
      if (!element || row < 0) return;
      const shown = element.querySelector(`[data-row="${ids[row]}"]`);
      if (shown) return shown.scrollIntoView({ block: "nearest" });
      let top = 0;
      for (let before = 0; before < row; before++) top += height(before);
      element.scrollTop = top - element.clientHeight / 2;
    },
    [list, ids, height],
  );
  return { ...rows, reveal };
}
