/** The pixels of a case as the server sends them: raw, row-major, with the display window to start with. */
export interface CaseImage {
  width: number;
  height: number;
  bits: 8 | 16;
  pixels: Uint8Array | Uint16Array;
  /** The values that are shown as black and as white. */
  low: number;
  high: number;
  /** A hash of the image file: when it changes, the file was replaced. */
  picture?: string;
}
