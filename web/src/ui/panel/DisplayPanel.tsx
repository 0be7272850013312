import { useEffect, useState } from "react";

import { type Levels, windowOf, withWindow } from "../../engine/render/levels";
import { resetDisplay, setGamma } from "../canvas/display_settings";
import { Slider } from "../controls/Slider";
import { Switch } from "../controls/Switch";
import { keyOf } from "../keyboard/shortcuts";
import { useBench, usePreferences, useWorkbench } from "../state/context";
import { Section } from "./Section";

const GAMMA_STEP = 0.05;

/** How the X-ray is shown. Neither the model nor the masks depend on it. */
export function DisplayPanel() {
  const { bench } = useWorkbench();
  const editor = useBench((state) => state.editor);
  const { gamma, invert, equalise, numbers } = usePreferences((preferences) => preferences);
  const bits = bench.summary?.bits ?? 8;
  const most = bits === 16 ? 65535 : 255;
  const [levels, setLevels] = useState<Levels | null>(null);

  useEffect(() => {
    setLevels(bench.stage?.levels ?? null);
    return bench.stage?.on("levelsChanged", setLevels);
  }, [bench, editor]);

  const shown = windowOf(levels ?? { low: 0, high: most, gamma, invert });
  const change = (width: number, centre: number) => {
    const base = bench.stage?.levels;
    if (!base) return;
    const { low, high } = withWindow(base, width, centre);
    bench.stage?.setLevels({ low, high });
  };

  return (
    <Section name="display" title="Display" note={bench.summary ? `${bits} bit` : ""}>
      <div className="display" data-testid="display">
        <Slider
          label="Window"
          min={1}
          max={most}
          step={1}
          value={Math.round(shown.width)}
          shown={editor ? `${Math.round(shown.width)}` : ""}
          onChange={(width) => change(width, shown.centre)}
          testid="window"
        />
        <Slider
          label="Level"
          min={0}
          max={most}
          step={1}
          value={Math.round(shown.centre)}
          shown={editor ? `${Math.round(shown.centre)}` : ""}
          onChange={(centre) => change(shown.width, centre)}
          testid="level"
        />
        <Slider
          label="Gamma"
          min={0.2}
          max={3}
          step={GAMMA_STEP}
          value={gamma}
          shown={gamma.toFixed(2)}
          onChange={(value) => setGamma(bench, value)}
          testid="gamma"
        />
        <div className="display-switches">
          <Switch
            label="Invert"
            checked={invert}
            onChange={(checked) => bench.preferences.set({ invert: checked })}
            testid="invert"
            title="Invert the X-ray (I)"
          />
          <Switch
            label="CLAHE"
            checked={equalise}
            onChange={(checked) => bench.preferences.set({ equalise: checked })}
            testid="clahe"
          />
          <Switch
            label="Numbers"
            checked={numbers}
            onChange={(checked) => bench.preferences.set({ numbers: checked })}
            testid="numbers"
          />
        </div>
        <div className="display-switches">
          <button
            type="button"
            className="quiet"
            title={`Window that fits the X-ray (${keyOf("fit-window")})`}
            onClick={() => bench.stage?.fitWindow()}
            data-testid="fit-window"
          >
            Fit window
          </button>
          <button
            type="button"
            className="quiet"
            title="Window, gamma, invert and CLAHE as at the start"
            onClick={() => resetDisplay(bench)}
            data-testid="display-reset"
          >
            Reset
          </button>
        </div>
      </div>
    </Section>
  );
}
