import { useEffect, useRef } from "react";

import type { ObjectState } from "../../api/types";
import type { BoxMask } from "../../engine/masks/mask";
import { cropOf, drawCrop } from "../../engine/render/mask_crop";
import type { Stage } from "../../engine/stage";

const WIDTH = 380;
const HEIGHT = 280;
const DEFAULT_LEVELS = { low: 0, high: 1, gamma: 1, invert: false };

function maskOf(state: ObjectState | null): BoxMask | null {
  return state && !state.deleted && state.mask && state.mask.width > 0 ? state.mask : null;
}

interface PreviewProps {
  state: ObjectState | null;
  other: ObjectState | null;
  /** The stage that shows the X-ray, for its picture and its levels. */
  stage: Stage | null;
}

/** One version of an object over the X-ray, with the outline of the other; both are drawn in the same place and size. */
export function MaskPreview({ state, other, stage }: PreviewProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const image = stage?.image ?? null;
  const levels = stage?.levels ?? DEFAULT_LEVELS;
  useEffect(() => {
    const [mask, outlined] = [maskOf(state), maskOf(other)];
    const shown = [mask, outlined].filter((one) => one !== null);
    const crop = cropOf(shown, WIDTH, HEIGHT);
    const pixels = drawCrop({ image, levels, crop, width: WIDTH, height: HEIGHT, mask, other: outlined });
    canvas.current?.getContext("2d")?.putImageData(new ImageData(pixels, WIDTH, HEIGHT), 0, 0);
  }, [state, other, image, levels]);
  return <canvas ref={canvas} width={WIDTH} height={HEIGHT} aria-hidden="true" />;
}
