import { useBench, useDesk, usePreferences } from "./context";
import { Slider, Switch } from "./controls";
import { OPACITY_STEP } from "./display";

const percent = (share: number) => `${Math.round(share * 100)} %`;

export function TransparencyBar() {
  const { bench } = useDesk();
  const fill = usePreferences((preferences) => preferences.fill);
  const outline = usePreferences((preferences) => preferences.outline);
  const outlineWidth = usePreferences((preferences) => preferences.outlineWidth);
  const dimOthers = usePreferences((preferences) => preferences.dimOthers);
  const peeking = useBench((state) => state.peeking);
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
      />
      <span className="keys" title={`Steps of ${percent(OPACITY_STEP)}`}>
        <kbd>,</kbd>
        <kbd>.</kbd>
      </span>
      <Slider
        label="Outline"
        min={0}
        max={100}
        step={1}
        value={Math.round(outline * 100)}
        shown={percent(outline)}
        onChange={(value) => bench.preferences.set({ outline: value / 100 })}
        testid="outline-opacity"
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
      />
      <Switch label="Dim others" checked={dimOthers} onChange={(checked) => bench.preferences.set({ dimOthers: checked })} testid="dim-others" />
      <span className={`peek-hint ${peeking ? "on" : ""}`} data-testid="peek">
        <kbd>Space</kbd> peek
      </span>
    </div>
  );
}
