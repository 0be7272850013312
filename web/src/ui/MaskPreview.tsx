import { useEffect, useRef } from "react";

import type { ObjectState } from "../api/types";
import type { BoxMask } from "../engine/mask";

const WIDTH = 280;
const HEIGHT = 180;
const COLOUR = [86, 180, 233];
const BARE = [38, 46, 56];

interface Span {
  x: number;
  y: number;
  width: number;
  height: number;
}

function around(masks: readonly BoxMask[]): Span | null {
  if (masks.length === 0) return null;
  const x = Math.min(...masks.map((mask) => mask.x));
  const y = Math.min(...masks.map((mask) => mask.y));
  const right = Math.max(...masks.map((mask) => mask.x + mask.width));
  const bottom = Math.max(...masks.map((mask) => mask.y + mask.height));
  return { x, y, width: right - x, height: bottom - y };
}

/** The shape of one version of a mask; both versions are drawn in the same place and size. */
export function MaskPreview({ state, other }: { state: ObjectState | null; other: ObjectState | null }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const picture = context.createImageData(WIDTH, HEIGHT);
    const masks = [state, other].flatMap((one) => (one?.mask && one.mask.width > 0 ? [one.mask] : []));
    const span = around(masks);
    const mask = state && !state.deleted ? state.mask : null;
    const scale = span ? Math.max((span.width * 1.1) / WIDTH, (span.height * 1.1) / HEIGHT) : 1;
    for (let row = 0; row < HEIGHT; row++) {
      for (let column = 0; column < WIDTH; column++) {
        const x = span ? Math.floor(span.x + span.width / 2 + (column - WIDTH / 2) * scale) : 0;
        const y = span ? Math.floor(span.y + span.height / 2 + (row - HEIGHT / 2) * scale) : 0;
        const colour = mask?.get(x, y) ? COLOUR : BARE;
        picture.data.set([...colour, 255], (row * WIDTH + column) * 4);
      }
    }
    context.putImageData(picture, 0, 0);
  }, [state, other]);
  return <canvas ref={canvas} width={WIDTH} height={HEIGHT} aria-hidden="true" />;
}
