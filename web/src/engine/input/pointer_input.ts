import type { Point } from "../geometry/point";
import { draggedWindow } from "../render/levels";
import { Fingers, type Place } from "./fingers";
import type { InputStage } from "./input_stage";
import { SpaceKey } from "./space_key";
import type { ToolUse } from "./tool_use";

type Gesture = "stroke" | "box" | "lasso" | "pan" | "pinch" | "size" | "window" | "tap";

const WHEEL_LINE = 16; // pixels of a wheel's line
const ERASER_BUTTON = 32; // of a pen, in PointerEvent.buttons
const TAP_SLACK = 8;
const PINCH_START_MS = 200;

/** Decides which gesture an event of mouse, pen or finger belongs to; `ToolUse` does what the gesture asks for. */
export class PointerInput {
  private gesture: Gesture | null = null;
  private pointer = -1;
  private readonly fingers = new Fingers();
  private penSeen = false;
  private last: Place = { x: 0, y: 0 };
  private start: Place & { size: number; time: number } = { x: 0, y: 0, size: 1, time: 0 };
  private origin = { left: 0, top: 0 };
  private readonly cleanups: (() => void)[] = [];
  private readonly space: SpaceKey;

  constructor(
    private readonly stage: InputStage,
    private readonly use: ToolUse,
    private readonly touch: "draw" | "pan",
  ) {
    const { host } = stage;
    this.listen(host, "pointerdown", (event) => this.timed(() => this.down(event)));
    this.listen(host, "pointermove", (event) => this.timed(() => this.move(event)));
    this.listen(host, "pointerup", (event) => this.timed(() => this.up(event)));
    this.listen(host, "pointercancel", (event) => this.timed(() => this.up(event)));
    this.listen(host, "lostpointercapture", (event) => this.timed(() => this.up(event)));
    this.listen(host, "pointerenter", () => this.locate());
    this.listen(host, "pointerleave", () => this.leave());
    this.listen(host, "contextmenu", (event) => event.preventDefault());
    const wheel = (event: WheelEvent) => this.timed(() => this.wheel(event));
    host.addEventListener("wheel", wheel, { passive: false });
    this.cleanups.push(() => host.removeEventListener("wheel", wheel));
    // When the page is left, hidden or closed in the middle of a stroke, the stroke is kept.
    const away = () => stage.finish();
    for (const kind of ["blur", "pagehide"]) {
      window.addEventListener(kind, away);
      this.cleanups.push(() => window.removeEventListener(kind, away));
    }
    document.addEventListener("visibilitychange", away);
    this.cleanups.push(() => document.removeEventListener("visibilitychange", away));
    this.space = new SpaceKey((down) => {
      if (down) this.turnIntoPan();
      this.showCursor();
      stage.invalidate();
    });
    this.cleanups.push(() => this.space.dispose());
    this.cleanups.push(
      stage.on("peek", (peek) => {
        if (peek) this.turnIntoPan();
        this.showCursor();
      }),
    );
    this.locate();
    this.showCursor();
  }

  dispose(): void {
    for (const cleanup of this.cleanups) cleanup();
  }

  /** Ends the gesture; the tool ends its part itself. */
  finish(): void {
    this.gesture = null;
    this.pointer = -1;
    this.fingers.clear();
  }

  /** While the masks are hidden by a peek, or Space is down, the pointer pans the picture and changes nothing. */
  private get onlyPans(): boolean {
    return this.space.down || this.stage.peek;
  }

  /** A stroke or lasso ends as if the button had been released, and the rest of the press pans the picture. */
  private turnIntoPan(): void {
    if (this.gesture === null || this.gesture === "pinch" || this.gesture === "pan") return;
    if (this.gesture === "stroke") this.use.endStroke();
    else if (this.gesture === "lasso") this.use.closeLasso();
    else this.use.cancel();
    this.gesture = "pan";
  }

  showCursor(): void {
    const { tool } = this.use;
    if (this.onlyPans && this.gesture !== "pan") {
      this.stage.host.style.cursor = "grab";
      return;
    }
    const drawn = tool === "brush" || tool === "eraser";
    const shapes: Partial<Record<typeof tool, string>> = { pan: "grab", select: "default", window: "ns-resize" };
    this.stage.host.style.cursor =
      this.gesture === "pan" ? "grabbing" : drawn ? "none" : (shapes[tool] ?? "crosshair");
  }

  private listen<K extends keyof HTMLElementEventMap>(
    host: HTMLElement,
    kind: K,
    listener: (event: HTMLElementEventMap[K]) => void,
  ): void {
    host.addEventListener(kind, listener);
    this.cleanups.push(() => host.removeEventListener(kind, listener));
  }

  private timed(work: () => void): void {
    const start = performance.now();
    work();
    this.stage.timings.events.add(performance.now() - start);
  }

  // Called only where the layout may have changed, because it forces one.
  private locate(): void {
    const { left, top } = this.stage.host.getBoundingClientRect();
    this.origin = { left: left + this.stage.host.clientLeft, top: top + this.stage.host.clientTop };
  }

  private place(event: MouseEvent): Place {
    return { x: event.clientX - this.origin.left, y: event.clientY - this.origin.top };
  }

  private point(event: MouseEvent): Point {
    const { x, y } = this.place(event);
    return this.stage.view.toImage(x, y);
  }

  private down(event: PointerEvent): void {
    const { stage, use } = this;
    this.locate();
    stage.host.focus({ preventScroll: true });
    if (event.pointerType === "pen") this.penSeen = true;
    if (event.pointerType === "touch") {
      this.fingers.put(event.pointerId, this.place(event));
      if (this.fingers.count === 2) {
        this.startPinch();
        return;
      }
    }
    if (this.gesture !== null || stage.editor === null) return;
    if (event.pointerType !== "mouse" || event.button !== 2) event.preventDefault();
    use.cursor = null;
    use.pointerAt = this.point(event);
    this.pointer = event.pointerId;
    this.last = this.place(event);
    this.start = { ...this.last, size: stage.editor.brush.size, time: performance.now() };
    capture(stage.host, event.pointerId);
    this.gesture = this.begin(event);
    this.showCursor();
    stage.invalidate();
  }

  private begin(event: PointerEvent): Gesture | null {
    const { use } = this;
    const { tool } = use;
    const at = this.point(event);
    const finger = event.pointerType === "touch";
    if (event.button === 1 || tool === "pan" || this.onlyPans || (finger && (this.penSeen || this.touch === "pan")))
      return "pan";
    if (tool === "click") {
      // A finger's click waits for its lifting: it may become a pinch.
      if (finger) return "tap";
      if (event.button === 0 || event.button === 2)
        use.click(at, event.button === 0 && !event.ctrlKey && !event.altKey);
      return null;
    }
    const erases = event.pointerType === "pen" && (event.buttons & ERASER_BUTTON) !== 0;
    if (event.button !== 0 && !erases) return null;
    switch (tool) {
      case "brush":
      case "eraser":
        if (event.altKey) return "size";
        use.beginStroke(at, event.shiftKey, erases ? "eraser" : undefined);
        return use.busy ? "stroke" : null;
      case "box":
        use.beginBox(at);
        return "box";
      case "lasso-add":
      case "lasso-subtract":
        use.beginLasso(at, event.altKey);
        return use.busy ? "lasso" : null;
      case "select":
        use.select(at);
        return null;
      case "window":
        return "window";
    }
  }

  private move(event: PointerEvent): void {
    const { stage, use } = this;
    const place = this.place(event);
    if (this.fingers.has(event.pointerId)) {
      if (this.gesture === "pinch") {
        this.fingers.pinch(event.pointerId, place, stage.view);
        stage.viewMoved();
        return;
      }
      this.fingers.put(event.pointerId, place);
    }
    if (event.pointerType === "pen") this.penSeen = true;
    if (this.gesture !== null && event.pointerId !== this.pointer) return;
    const at = stage.view.toImage(place.x, place.y);
    if (event.pointerType !== "touch") use.cursor = null;
    use.pointerAt = at;
    const { x: dx, y: dy } = { x: place.x - this.last.x, y: place.y - this.last.y };
    switch (this.gesture) {
      case "stroke":
        use.extendStroke(this.points(event));
        break;
      case "lasso":
        use.extendLasso(this.points(event));
        break;
      case "box":
        use.stretchBox(at);
        break;
      case "pan":
        stage.panBy(dx, dy);
        break;
      case "size": {
        const grown = (place.x - this.start.x - (place.y - this.start.y)) / stage.view.zoom;
        stage.setBrushSize(this.start.size + grown);
        // The outline stays where it was pressed while its size changes.
        use.pointerAt = stage.view.toImage(this.start.x, this.start.y);
        break;
      }
      case "window":
        this.window(dx, dy);
        break;
      case "tap":
      case "pinch":
      case null:
        break;
    }
    this.last = place;
    stage.emit("hover", { point: at, value: use.valueAt(at) });
    stage.invalidate();
  }

  /** Every place the pointer was at since the last event. */
  private points(event: PointerEvent): Point[] {
    const events = event.getCoalescedEvents?.() ?? [];
    return (events.length > 0 ? events : [event]).map((each) => this.point(each));
  }

  private up(event: PointerEvent): void {
    const { stage, use } = this;
    this.fingers.lift(event.pointerId);
    if (this.gesture === "pinch") {
      if (this.fingers.count === 0) this.gesture = null;
      return;
    }
    if (event.pointerId !== this.pointer) return;
    const gesture = this.gesture;
    this.gesture = null;
    this.pointer = -1;
    const place = this.place(event);
    switch (gesture) {
      case "stroke":
        use.endStroke();
        break;
      case "lasso":
        use.closeLasso();
        break;
      case "box":
        if (event.type === "pointerup") use.endBox();
        else use.cancel();
        break;
      case "tap": {
        const moved = Math.hypot(place.x - this.start.x, place.y - this.start.y);
        if (event.type === "pointerup" && moved <= TAP_SLACK) use.click(this.point(event), true);
        break;
      }
      case "pan":
      case "size":
      case "window":
      case null:
        break;
    }
    if (event.pointerType === "touch") use.pointerAt = null;
    this.showCursor();
    stage.invalidate();
  }

  private leave(): void {
    if (this.gesture !== null) return;
    this.use.pointerAt = null;
    this.stage.emit("hover", null);
    this.stage.invalidate();
  }

  private startPinch(): void {
    // A stroke that has only just begun was the first of the two fingers and not a stroke.
    if (performance.now() - this.start.time < PINCH_START_MS) this.use.cancel();
    else this.use.finish();
    this.gesture = "pinch";
    this.pointer = -1;
  }

  private window(dx: number, dy: number): void {
    const { stage } = this;
    const span = stage.image === null ? 255 : Math.max(1, stage.image.high - stage.image.low);
    stage.setLevels(draggedWindow(stage.levels, span, dx, dy));
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const { stage } = this;
    // With Shift held some systems turn the wheel sideways.
    const raw = event.deltaY !== 0 ? event.deltaY : event.deltaX;
    const delta = event.deltaMode === 1 ? raw * WHEEL_LINE : event.deltaMode === 2 ? raw * stage.view.height : raw;
    if (event.shiftKey || event.altKey) {
      const size = stage.editor?.brush.size ?? 1;
      const step = Math.max(1, Math.round(size * 0.1));
      stage.setBrushSize(size + (delta < 0 ? step : -step));
      return;
    }
    this.locate();
    const { x, y } = this.place(event);
    // A trackpad's pinch comes as a wheel with Ctrl and small steps.
    stage.view.zoomAt(x, y, Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.0015)));
    this.use.pointerAt = stage.view.toImage(x, y);
    stage.viewMoved();
  }
}

// A pen may have left between the event and its handling; the gesture then ends with its next event.
function capture(host: HTMLElement, pointer: number): void {
  try {
    host.setPointerCapture(pointer);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}
