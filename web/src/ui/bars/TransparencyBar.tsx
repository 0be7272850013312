import { useState } from "react";
import { OPACITY_STEP } from "../canvas/display_settings";
import { IconButton } from "../controls/IconButton";
import { More } from "../controls/icons";
import { Slider } from "../controls/Slider";
import { Switch } from "../controls/Switch";
import { useBench, usePreferences, useWorkbench } from "../state/context";

const percent = (share: number) => `${Math.round(share * 100)} %`;

export function TransparencyBar() {
  const { bench } = useWorkbench();
  const fill = usePreferences((preferences) => preferences.fill);
  const outline = usePreferences((preferences) => preferences.outline);
  const outlineWidth = usePreferences((preferences) => preferences.outlineWidth);
  const dimOthers = usePreferences((preferences) => preferences.dimOthers);
  const peeking = useBench((state) => state.peeking);
  // On a narrow page, which has no room for all of it in one row.
  const [unfolded, setUnfolded] = useState(false);
  return (
    <div role="group" aria-label="Transparency" className="transparency">
      <Slider
        label="Fill"
        className="wide"
        min={0}
        max={100}
        step={1}
        value={Math.round(fill * 100)}
        shown={percent(fill)}
        onChange={(value) => bench.preferences.set({ fill: value / 100 })}
        testid="opacity"
        title="How strong the masks are (, and .)"
      />
      <span className="keys" title={`Steps of ${percent(OPACITY_STEP)}`}>
        <kbd>,</kbd>
        <kbd>.</kbd>
      </span>
      <div className={`foldable ${unfolded ? "unfolded" : ""}`}>
        <Slider
          label="Outline"
          min={0}
          max={100}
          step={1}
          value={Math.round(outline * 100)}
          shown={percent(outline)}
          onChange={(value) => bench.preferences.set({ outline: value / 100 })}
          testid="outline-opacity"
          title="How strong the outlines are (< and >)"
        />
        <Slider
          label="Width"
          className="narrow"
          min={1}
          max={3}
          step={0.5}
          value={outlineWidth}
          shown={`${outlineWidth} px`}
          onChange={(value) => bench.preferences.set({ outlineWidth: value })}
          testid="outline-width"
          title="How wide the outlines are"
        />
        <Switch
          label="Dim others"
          checked={dimOthers}
          onChange={(checked) => bench.preferences.set({ dimOthers: checked })}
          testid="dim-others"
          title="Dim all objects but the active one (D)"
        />
      </div>
      <span className={`peek-hint ${peeking ? "on" : ""}`} title="Hold Space: the bare X-ray" data-testid="peek">
        <kbd>Space</kbd> peek
      </span>
      <span className="unfold">
        <IconButton
          label="More of the outlines"
          pressed={unfolded}
          onClick={() => setUnfolded(!unfolded)}
          testid="unfold"
        >
          <More />
        </IconButton>
      </span>
    </div>
  );
}
