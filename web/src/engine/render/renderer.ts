import type { CaseImage } from "../case_image";
import type { Rect } from "../geometry/rect";
import type { ViewState } from "../geometry/view";
import type { Bitmask } from "../masks/mask";
import type { Levels } from "./levels";

export interface MaskStyle {
  /** "#rrggbb" */
  colour: string;
  /** Opacity of the inside and of the outline, 0..1. */
  fill: number;
  outline: number;
  /** Screen (CSS) pixels, 1..3. */
  outlineWidth: number;
  /** Screen (CSS) pixels of the outer part of the outline that is white; 0: none. */
  rim: number;
  /** Screen (CSS) pixels from the beginning of one dash of the outline to that of the next; 0: a solid line. */
  dash: number;
  visible: boolean;
}

/** Draws the picture and the masks. Nothing is drawn before `draw`. */
export interface Renderer {
  readonly kind: "webgl2" | "canvas2d";
  /** One line about a limit that the user should know, or null. */
  readonly warning: string | null;
  /** Called when a frame must be drawn although nothing changed (a lost context was restored). */
  onRestored: (() => void) | null;
  /** Also forgets every mask. */
  setImage(image: CaseImage | null): void;
  setDisplay(levels: Levels): void;
  /** An equalised copy of the picture to be shown in its place, with as many pixels; null for the picture itself. */
  setEqualised(pixels: Uint8Array | Uint16Array | null): void;
  setView(view: ViewState): void;
  /** CSS pixels. */
  resize(width: number, height: number, dpr: number): void;
  /** `dirty` null: the whole mask. */
  updateMask(id: string, mask: Bitmask, dirty: Rect | null): void;
  removeMask(id: string): void;
  /** In drawing order; objects that are missing here are not drawn. */
  setStyles(styles: ReadonlyMap<string, MaskStyle>): void;
  draw(): void;
  dispose(): void;
}

/** The colour around the picture: near black in both themes, as on a light box. */
export const BACKGROUND = [16, 18, 20] as const;

/** Device pixels around a change of a mask in which its outline, which runs smoothly between pixels, may change too. */
export function outlineMargin(view: ViewState): number {
  return Math.ceil((6 + 1.5 * view.zoom) * view.dpr);
}

/** How much of a dashed outline its dashes take. */
export const DASH_SHARE = 0.6;

/** Device pixels by which a smooth outline may lie beyond the mask's box. */
export const OVERHANG = 1;

/** Whether anything of a mask is drawn. */
export function hasPixels(mask: Bitmask, style: MaskStyle): boolean {
  return style.visible && mask.area > 0 && (style.fill > 0 || style.outline > 0);
}

/** Whether both would be drawn the same. */
export function sameStyles(a: ReadonlyMap<string, MaskStyle>, b: ReadonlyMap<string, MaskStyle>): boolean {
  if (a.size !== b.size) return false;
  const ids = [...b.keys()];
  let index = 0;
  for (const [id, one] of a) {
    const other = b.get(id);
    if (ids[index++] !== id || other === undefined) return false;
    if (one.colour !== other.colour || one.visible !== other.visible) return false;
    if (one.fill !== other.fill || one.outline !== other.outline || one.outlineWidth !== other.outlineWidth)
      return false;
    if (one.rim !== other.rim || one.dash !== other.dash) return false;
  }
  return true;
}
