import type { CaseEditor } from "../editing/case_editor";
import { isUnsure } from "../editing/proposals";
import { UNSURE_COLOUR } from "../palette";
import type { MaskStyle } from "./renderer";

export interface Appearance {
  /** Opacities 0..1. */
  fill: number;
  outline: number;
  /** 1..3 screen pixels. */
  outlineWidth: number;
  /** Dim every object but the active one. */
  dimOthers: boolean;
  /** Write each tooth's number, and what else there is room for, on the objects. */
  numbers: boolean;
  /** A proposal that the model is less sure of, 0..1, is marked as unsure. */
  threshold: number;
}

export const DEFAULT_APPEARANCE: Appearance = {
  fill: 0.4,
  outline: 1,
  outlineWidth: 2,
  dimOthers: false,
  numbers: true,
  threshold: 0.9,
};

/** White around the active object, in screen pixels. */
const ACTIVE_RIM = 1.25;
/** A proposal has a dashed outline, this many screen pixels from dash to dash, and less fill. */
const DASH = 9;
const PROPOSED_FILL = 0.4;
const DIMMED_FILL = 0.25;
const DIMMED_OUTLINE = 0.35;

/** How each object is drawn, in drawing order: what lies in a tooth above the tooth, the active object last. */
export function stylesOf(editor: CaseEditor, appearance: Appearance, peek: boolean): Map<string, MaskStyle> {
  const styles = new Map<string, MaskStyle>();
  const rank = (id: string, parent: string | null) => (id === editor.activeId ? 2 : parent === null ? 0 : 1);
  const ordered = [...editor.objects].sort((a, b) => rank(a.id, a.parent) - rank(b.id, b.parent));
  for (const object of ordered) {
    const active = object.id === editor.activeId;
    const dim = appearance.dimOthers && editor.activeId !== null && !active;
    styles.set(object.id, {
      colour: isUnsure(object, appearance.threshold) ? UNSURE_COLOUR : editor.colourOf(object),
      fill: clamp(appearance.fill, 0, 1) * (dim ? DIMMED_FILL : 1) * (object.proposed ? PROPOSED_FILL : 1),
      outline: clamp(appearance.outline, 0, 1) * (dim ? DIMMED_OUTLINE : 1),
      outlineWidth: clamp(appearance.outlineWidth, 1, 3) + (active ? ACTIVE_RIM : 0),
      rim: active ? ACTIVE_RIM : 0,
      dash: object.proposed ? DASH : 0,
      visible: !object.hidden && !peek,
    });
  }
  return styles;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
