import { type CSSProperties, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";

import type { MaskChoices } from "../../engine/editing/case_editor";
import { intersection, isEmpty, type Rect } from "../../engine/geometry/rect";
import type { BoxMask } from "../../engine/masks/mask";
import { unpackMask } from "../../engine/masks/packed_mask";
import { rgbOf } from "../../engine/palette";
import { cropOf, drawCrop } from "../../engine/render/mask_crop";
import type { Stage } from "../../engine/stage";
import { keyOf } from "../keyboard/shortcuts";
import { useBench, useEditor, useWorkbench } from "../state/context";
import { choose, openChoices } from "./choice_actions";
import { picturePlace } from "./picture_place";

const WIDTH = 58;
const HEIGHT = 66;
/** Room around the largest mask, as a share of its size. */
const MARGIN = 0.2;
const NAMES = ["Whole", "Part", "Smaller part"];
/** Left free at the stage's edges, in screen pixels; at the top there are the badges. */
const [EDGE, TOP] = [8, 44];

/** Shows the masks that the active object's first click may mean, side by side; a press or the key takes another one. */
export function ChoicePicture() {
  const { bench } = useWorkbench();
  const editor = useEditor();
  // A request under way closes the picture, and so does a question or a peek.
  useBench((state) => state.requestsUnderway);
  const question = useBench((state) => state.question);
  const peeking = useBench((state) => state.peeking);
  const { stage } = bench;
  const open = question === null && !peeking ? openChoices(bench) : null;
  if (open === null || editor === null || !stage) return null;
  const { object, choices } = open;
  return <Picture key={object.id} choices={choices} colour={bench.colourOf(object)} stage={stage} />;
}

interface PictureProps {
  choices: MaskChoices;
  colour: string;
  stage: Stage;
}

function Picture({ choices: { offered, taken }, colour, stage }: PictureProps) {
  const { bench } = useWorkbench();
  const [, moved] = useState(0);
  useEffect(() => {
    const again = () => moved((count) => count + 1);
    const ends = [stage.on("viewChanged", again), stage.on("levelsChanged", again)];
    return () => ends.forEach((end) => void end());
  }, [stage]);
  const frame = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 200, height: 100 });
  useLayoutEffect(() => {
    const { offsetWidth: width, offsetHeight: height } = frame.current ?? { offsetWidth: 0, offsetHeight: 0 };
    if (width > 0 && (width !== size.width || height !== size.height)) setSize({ width, height });
  });
  const masks = useMemo(() => offered.map((choice) => unpackMask(choice.mask)), [offered]);
  const [largest] = masks;
  const at = largest ? placeOf(largest, size, stage) : null;
  if (!largest || !at) return null;
  const next = (taken + 1) % offered.length;
  return (
    <div
      ref={frame}
      className="choice-picture"
      role="group"
      aria-label="What the click means"
      style={{ left: at[0], top: at[1], "--object": colour } as CSSProperties}
      data-testid="choice-picture"
    >
      <span className="unseen" role="status">
        {NAMES[taken]}, {taken + 1} of {offered.length}. {keyOf("choose-next")}: {NAMES[next]}.
      </span>
      {masks.map((mask, index) => (
        <button
          key={NAMES[index]}
          type="button"
          aria-pressed={index === taken}
          onClick={() => choose(bench, index)}
          data-testid={`choice-${index}`}
        >
          <Thumbnail mask={mask} largest={largest} colour={colour} stage={stage} />
          {NAMES[index]}
          {index === next && <kbd aria-hidden="true">{keyOf("choose-next")}</kbd>}
        </button>
      ))}
    </div>
  );
}

/** Beside the largest mask, also while a smaller one is taken; null where that is off the screen. */
function placeOf(largest: Rect, size: { width: number; height: number }, { view }: Stage) {
  const [x, y] = view.toScreen(largest.x, largest.y);
  const object = { x, y, width: largest.width * view.zoom, height: largest.height * view.zoom };
  if (isEmpty(intersection(object, { x: 0, y: 0, width: view.width, height: view.height }))) return null;
  const room = { x: EDGE, y: TOP, width: view.width - 2 * EDGE, height: view.height - TOP - EDGE };
  const upper = largest.y + largest.height / 2 < view.imageHeight / 2;
  return picturePlace(object, size, room, upper ? "upper" : "lower");
}

interface ThumbnailProps {
  mask: BoxMask;
  largest: BoxMask;
  colour: string;
  stage: Stage;
}

/** One mask over the X-ray around the largest, so that all thumbnails show the same part of it. */
function Thumbnail({ mask, largest, colour, stage: { image, levels, view } }: ThumbnailProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, height] = [Math.round(WIDTH * view.dpr), Math.round(HEIGHT * view.dpr)];
  useEffect(() => {
    const crop = cropOf([largest], width, height, MARGIN);
    const pixels = drawCrop({ image, levels, crop, width, height, mask, colour: rgbOf(colour) });
    canvas.current?.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  }, [mask, largest, image, levels, colour, width, height]);
  return <canvas ref={canvas} width={width} height={height} aria-hidden="true" />;
}
