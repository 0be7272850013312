/** Gives the keys back to the picture. */
export function focusCanvas(): void {
  document.querySelector<HTMLElement>(".stage-host")?.focus({ preventScroll: true });
}
