/** Sets `data-touch` on the page: at once where fingers are the primary pointer, else from the first touch on. */
export function followTouch(): () => void {
  const coarse = matchMedia("(pointer: coarse)");
  const root = document.documentElement;
  let touched = false;
  const mark = () => root.toggleAttribute("data-touch", coarse.matches || touched);
  const up = (event: PointerEvent) => {
    if (event.pointerType !== "touch" || touched) return;
    touched = true;
    // After the click of this touch, so that its button does not move under the finger.
    setTimeout(mark);
  };
  mark();
  coarse.addEventListener("change", mark);
  window.addEventListener("pointerup", up as (event: Event) => void, true);
  return () => {
    coarse.removeEventListener("change", mark);
    window.removeEventListener("pointerup", up as (event: Event) => void, true);
  };
}
