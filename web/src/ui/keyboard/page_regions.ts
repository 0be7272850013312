const FOCUSABLE =
  "button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), a[href], summary";

/**
 * Focuses the next or previous part of the page, in the order of the page: top bar, worklist, tools, damage, picture, teeth, proposals,
 * checks, objects, display, comments, bottom bar, tour. A part with nothing to focus is passed over.
 */
export function focusRegion(step: 1 | -1): void {
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")];
  const count = regions.length;
  const at = placeOf(document.activeElement, regions);
  for (let away = 1; away <= count; away++) {
    // Between two regions `at` ends in .5: the neighbours are half a step away.
    const place = Math.floor(at + step * (Number.isInteger(at) ? away : away - 0.5));
    const region = regions[((place % count) + count) % count];
    const target = region && entranceOf(region);
    if (!target) continue;
    target.focus();
    return;
  }
}

/** The index of the region that contains an element; n - 0.5 for an element outside of all, before the nth. */
function placeOf(element: Element | null, regions: readonly HTMLElement[]): number {
  const at = regions.findIndex((region) => region.contains(element));
  if (at >= 0) return at;
  if (element === null || element === document.body) return -0.5;
  const after = regions.findIndex(
    (region) => region.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_PRECEDING,
  );
  return (after < 0 ? regions.length : after) - 0.5;
}

/** The element of a region to focus: itself, its current item, its roving tab stop, or its first control. */
function entranceOf(region: HTMLElement): HTMLElement | null {
  if (region.matches("[tabindex]")) return region;
  const controls = [...region.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(
    (control) => control.tabIndex >= 0 && control.checkVisibility(),
  );
  const current = controls.find((control) => control.closest('[aria-current="true"]'));
  return current ?? controls.find((control) => control.getAttribute("tabindex") === "0") ?? controls[0] ?? null;
}
