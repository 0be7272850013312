import type { CaseEditor, CaseObject } from "../editing/case_editor";
import type { View } from "../geometry/view";
import { LabelLayer } from "./label_layer";
import { Interiors, type ObjectLabel, type PlacedLabel, placeLabels, sameLabels } from "./label_placement";

/** The labels on the objects of a case: where they are, and their canvas. */
export class ObjectLabels {
  /** The text on an object; null: none. */
  textOf: (object: CaseObject) => ObjectLabel | null = () => null;
  private readonly layer: LabelLayer;
  private readonly interiors = new Interiors();
  private labels: readonly PlacedLabel[] = [];

  constructor(canvas: HTMLCanvasElement) {
    this.layer = new LabelLayer(canvas);
  }

  /** The labels as they are drawn. */
  get shown(): readonly PlacedLabel[] {
    return this.labels;
  }

  /** The mask of an object has changed. */
  changed(id: string): void {
    this.interiors.changed(id);
  }

  /** Another case is shown. */
  clear(): void {
    this.interiors.clear();
  }

  /** Places and draws the labels of a case (null: none). `viewMoved`: draws them even if they are where they were. */
  draw(editor: CaseEditor | null, view: View, viewMoved: boolean): void {
    const before = this.labels;
    this.labels = editor === null ? [] : placeLabels(editor, view, this.interiors, this.textOf, this.layer.widthOf);
    if (viewMoved || !sameLabels(before, this.labels)) this.layer.draw(this.labels, view.state());
  }
}
