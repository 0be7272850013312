/** Marks the page for fingers: where they are the first pointer, and from the first touch on where they are not. */
export function followTouch(): () => void {
  const coarse = matchMedia("(pointer: coarse)");
  const root = document.documentElement;
  let touched = false;
  const mark = () => root.toggleAttribute("data-touch", coarse.matches || touched);
  const up = (event: PointerEvent) => {
    if (event.pointerType !== "touch" || touched) return;
    touched = true;
    // After the click of this touch, which must find its button where it was.
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
