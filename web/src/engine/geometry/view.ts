import type { Point } from "./point";
import type { Rect } from "./rect";

/** Where the image stands on the screen: CSS pixels = image pixels * zoom + (x, y). */
export interface ViewState {
  zoom: number;
  x: number;
  y: number;
  /** Size of the canvas in CSS pixels, and device pixels per CSS pixel. */
  width: number;
  height: number;
  dpr: number;
}

const MARGIN = 24;
/** Left free around what is brought into view, in CSS pixels. */
const ROOM_AROUND = 60;
const KEPT_IN_SIGHT = 64;
const MAX_DEVICE_ZOOM = 64;

/** Zoom and position of the image. Every change keeps a part of the image in view. */
export class View {
  zoom = 1;
  x = 0;
  y = 0;
  width = 1;
  height = 1;
  dpr = 1;
  imageWidth = 1;
  imageHeight = 1;
  /** Whether a resize fits the image again; until the user zooms or pans. */
  fitted = true;

  setImage(width: number, height: number): void {
    this.imageWidth = Math.max(1, width);
    this.imageHeight = Math.max(1, height);
    this.fit();
  }

  /** Size in CSS pixels. Keeps the image point in the middle where it is, or fits again when the view was fitted. */
  resize(width: number, height: number, dpr: number): void {
    const middle = this.toImage(this.width / 2, this.height / 2);
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    this.dpr = dpr > 0 ? dpr : 1;
    if (this.fitted) this.fit();
    else this.centreOn(middle);
  }

  fit(): void {
    this.zoom = this.fitZoom;
    this.x = (this.width - this.imageWidth * this.zoom) / 2;
    this.y = (this.height - this.imageHeight * this.zoom) / 2;
    this.fitted = true;
  }

  /** One image pixel to one device pixel, around a point of the screen (the middle by default). */
  actualSize(screenX = this.width / 2, screenY = this.height / 2): void {
    this.zoomAt(screenX, screenY, 1 / this.dpr / this.zoom);
  }

  /** Multiplies the zoom; the image point under (screenX, screenY) stays there. */
  zoomAt(screenX: number, screenY: number, factor: number): void {
    const [imageX, imageY] = this.toImage(screenX, screenY);
    this.zoom = Math.min(this.maxZoom, Math.max(this.minZoom, this.zoom * factor));
    this.x = screenX - imageX * this.zoom;
    this.y = screenY - imageY * this.zoom;
    this.fitted = false;
    this.clamp();
  }

  /** Moves the image by CSS pixels. */
  pan(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.clamp();
  }

  /** Puts an image point into the middle. */
  centreOn(point: Point): void {
    this.x = this.width / 2 - point[0] * this.zoom;
    this.y = this.height / 2 - point[1] * this.zoom;
    this.fitted = false;
    this.clamp();
  }

  /** Moves no more than needed to bring an image point into view. Returns whether it moved. */
  reveal(point: Point): boolean {
    const [screenX, screenY] = this.toScreen(point[0], point[1]);
    const dx = Math.max(MARGIN - screenX, 0) + Math.min(this.width - MARGIN - screenX, 0);
    const dy = Math.max(MARGIN - screenY, 0) + Math.min(this.height - MARGIN - screenY, 0);
    if (dx === 0 && dy === 0) return false;
    this.pan(dx, dy);
    return true;
  }

  /**
   * Moves no more than needed to bring a rectangle of the image, with some room around it, into view; the middle of one
   * that is too large into the middle. Returns whether it moved.
   */
  revealRect({ x, y, width, height }: Rect): boolean {
    const [left, top] = this.toScreen(x, y);
    const shift = (start: number, size: number, room: number) => {
      const margin = Math.min(ROOM_AROUND, room / 6);
      if (size > room - 2 * margin) return (room - size) / 2 - start;
      return Math.max(margin - start, 0) + Math.min(room - margin - start - size, 0);
    };
    const dx = shift(left, width * this.zoom, this.width);
    const dy = shift(top, height * this.zoom, this.height);
    if (dx === 0 && dy === 0) return false;
    this.pan(dx, dy);
    return true;
  }

  /** CSS pixels of the canvas to image pixels. */
  toImage(screenX: number, screenY: number): [number, number] {
    return [(screenX - this.x) / this.zoom, (screenY - this.y) / this.zoom];
  }

  /** Image pixels to CSS pixels of the canvas. */
  toScreen(imageX: number, imageY: number): [number, number] {
    return [imageX * this.zoom + this.x, imageY * this.zoom + this.y];
  }

  state(): ViewState {
    const { zoom, x, y, width, height, dpr } = this;
    return { zoom, x, y, width, height, dpr };
  }

  get fitZoom(): number {
    const width = Math.max(1, this.width - 2 * Math.min(MARGIN, this.width / 8));
    const height = Math.max(1, this.height - 2 * Math.min(MARGIN, this.height / 8));
    return Math.min(width / this.imageWidth, height / this.imageHeight);
  }

  get minZoom(): number {
    return Math.min(this.fitZoom / 2, 1 / this.dpr);
  }

  get maxZoom(): number {
    return Math.max(MAX_DEVICE_ZOOM / this.dpr, this.fitZoom);
  }

  private clamp(): void {
    const keepX = Math.min(KEPT_IN_SIGHT, this.width / 2, this.imageWidth * this.zoom);
    const keepY = Math.min(KEPT_IN_SIGHT, this.height / 2, this.imageHeight * this.zoom);
    this.x = Math.min(this.width - keepX, Math.max(keepX - this.imageWidth * this.zoom, this.x));
    this.y = Math.min(this.height - keepY, Math.max(keepY - this.imageHeight * this.zoom, this.y));
  }
}

/**
 * An image point as the model counts: pixel indices, where pixel i's centre is i (the model adds the half pixel
 * itself). A point beyond the border is moved onto the nearest pixel.
 */
export function toModel(point: Point, imageWidth: number, imageHeight: number): [number, number] {
  return [
    Math.min(imageWidth - 1, Math.max(0, point[0] - 0.5)),
    Math.min(imageHeight - 1, Math.max(0, point[1] - 0.5)),
  ];
}

/** A click or corner as the model counts (pixel indices, whatever follows them) as an image point. */
export function fromModel(click: readonly [number, number, ...number[]]): [number, number] {
  return [click[0] + 0.5, click[1] + 0.5];
}
