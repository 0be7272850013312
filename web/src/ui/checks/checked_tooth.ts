/** A tooth with its box in image pixels. */
export interface CheckedTooth {
  id: string;
  number: string;
  x: number;
  y: number;
  width: number;
  height: number;
  area: number;
}
