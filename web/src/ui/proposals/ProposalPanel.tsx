import { useState } from "react";
import type { ProposalsState } from "../../api/types";
import { isUnsure } from "../../engine/editing/proposals";
import { Slider } from "../controls/Slider";
import { Switch } from "../controls/Switch";
import { keyOf } from "../keyboard/shortcuts";
import { quadrantOf } from "../labels/fdi";
import { Section } from "../panel/Section";
import { useBench, useEditor, usePreferences, useWorkbench } from "../state/context";

const MIN_THRESHOLD = 50;
const MAX_THRESHOLD = 100;

const percent = (share: number) => `${Math.round(100 * share)} %`;

/** How many proposals are left, and what accepts several of them at once. Where the model cannot chart there is nothing of it. */
export function ProposalPanel() {
  const { bench, actions } = useWorkbench();
  const editor = useEditor();
  const state = useBench(({ proposals }) => proposals);
  const threshold = usePreferences((preferences) => preferences.threshold);
  const unsureFirst = usePreferences((preferences) => preferences.unsureFirst);
  const left = (editor?.objects ?? []).filter(({ proposed }) => proposed);
  if (bench.session.proposals === null && left.length === 0) return null;

  const unsure = left.filter((object) => isUnsure(object, threshold)).length;
  const quadrant = quadrantOf(editor?.active?.category ?? null);
  const inQuadrant = quadrant === null ? 0 : actions.proposals.sure(quadrant).length;
  const least = percent(threshold);
  return (
    <Section name="proposals" title="Proposals" note={note(state, left.length, unsure)}>
      {left.length > 0 && (
        <>
          <div className="review-acts" data-testid="proposals">
            <button
              type="button"
              className="quiet primary"
              title={`Accept the active object and go to the next one (${keyOf("accept")})`}
              onClick={() => actions.accept()}
              data-testid="accept-next"
            >
              {editor?.active && !editor.active.accepted ? "Accept" : "Next"}
            </button>
            <button
              type="button"
              className="quiet"
              disabled={inQuadrant === 0}
              title={`Accept the proposals of the active tooth's quadrant with ${least} or more (${keyOf("accept-quadrant")})`}
              onClick={() => actions.proposals.acceptQuadrant()}
              data-testid="accept-quadrant"
            >
              Quadrant{inQuadrant > 0 && ` (${inQuadrant})`}
            </button>
            <button
              type="button"
              className="quiet"
              disabled={left.length === unsure}
              title={`Accept all proposals with ${least} or more (${keyOf("accept-all")})`}
              onClick={() => actions.proposals.acceptAll()}
              data-testid="accept-all"
            >
              All sure ({left.length - unsure})
            </button>
          </div>
          <Slider
            label="Sure from"
            min={MIN_THRESHOLD}
            max={MAX_THRESHOLD}
            step={1}
            value={Math.round(100 * threshold)}
            shown={least}
            onChange={(value) => bench.preferences.set({ threshold: value / 100 })}
            testid="threshold"
            title="Proposals of less confidence are marked with a question mark, and not accepted together with others"
          />
        </>
      )}
      <div className="display-switches">
        {left.length > 0 && (
          <Switch
            label="Unsure first"
            checked={unsureFirst}
            onChange={(checked) => bench.preferences.set({ unsureFirst: checked })}
            testid="unsure-first"
            title="Enter goes to the proposals that the model is least sure of, then along the chart"
          />
        )}
        {bench.session.proposals !== null && <ProposeSwitch />}
      </div>
    </Section>
  );
}

function note(state: ProposalsState, left: number, unsure: number): string {
  if (left > 0) return `${left} left${unsure > 0 ? `, ${unsure} unsure` : ""}`;
  return state === "pending" ? "finding teeth …" : state === "there" ? "none left" : state === "off" ? "off" : "none";
}

/** Whether the model proposes teeth, for everybody who works in this workspace. */
function ProposeSwitch() {
  const { bench } = useWorkbench();
  const [on, setOn] = useState(bench.session.proposals === true);
  const change = async (wanted: boolean) => {
    setOn(wanted);
    await bench.proposals.turn(wanted);
    setOn(bench.session.proposals === true);
  };
  return (
    <Switch
      label="Find teeth"
      checked={on}
      onChange={(wanted) => void change(wanted)}
      testid="propose"
      title="Whether the model proposes the teeth of each case; for everybody in this workspace"
    />
  );
}
