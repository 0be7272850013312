export interface TourStep {
  title: string;
  text: string;
  /** Selectors of the target on the page; the first visible one counts. */
  targets: readonly string[];
}

/** The tour of the first start, in the order in which a tooth is labelled. */
export const TOUR: readonly TourStep[] = [
  {
    title: "Click on a tooth",
    text: "The model outlines it. Each tooth, filling or lesion is an object of its own. Where a click may mean the filling or the tooth, small pictures show both: P switches.",
    targets: [".stage-host"],
  },
  {
    title: "Say which tooth it is",
    text: "Type its FDI number, two digits, or click on it in this chart. Other labels stand below the chart.",
    targets: [".teeth"],
  },
  {
    title: "Or find the teeth there",
    text: "Where the model can chart, a case opens with its teeth outlined in dashes and numbered. Enter accepts one and goes to the next, those with a question mark first; Shift+A accepts all that the model is sure of. A press on a tooth in the chart goes to it, or marks one that is not there as missing.",
    targets: [".section-proposals", ".teeth"],
  },
  {
    title: "Correct the outline",
    text: "Click on a missing part; right click (on a touch screen: the minus) on a part too many. Or paint with the brush (B) and the eraser (E), and let the model finish it (R).",
    targets: [".toolbar"],
  },
  {
    title: "Look under the mask",
    text: "Hold Space for the bare X-ray; on a touch screen hold the eye at the lower right of the picture. Fill sets how strong the masks are.",
    targets: [".transparency"],
  },
  {
    title: "Accept, and go on",
    text: "Enter accepts an object and goes to the next one. When all are accepted, Enter or Done closes the case. Z takes everything back, closing too.",
    targets: ['[data-testid="done"]', ".case-status"],
  },
  { title: "All keys", text: "? lists all keys. This tour is there as well.", targets: ['[data-testid="help"]'] },
];
