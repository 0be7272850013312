import { IconButton } from "../controls/IconButton";
import * as icons from "../controls/icons";
import { useBench, useEditor, usePreferences, useWorkbench } from "../state/context";
import { ToolNumber } from "./ToolNumber";
import { MAX_SMOOTHING, setSmoothing } from "./tool_settings";

/** What changes the active mask as a whole, and undo and redo. */
export function MaskTools() {
  const { bench, actions } = useWorkbench();
  const editor = useEditor();
  const smoothing = usePreferences((preferences) => preferences.smoothing);
  const autoRefine = usePreferences((preferences) => preferences.autoRefine);
  const idle = !editor?.active;
  // The case that was closed last can be opened again from the next one.
  useBench((state) => state.closedCase);
  return (
    <div role="group" aria-label="Mask" className="tool-group">
      <IconButton
        name="Holes"
        label="Fill holes"
        command="fill-holes"
        disabled={idle}
        onClick={() => actions.clean("fillHoles")}
        testid="fill-holes"
      >
        <icons.FillHoles />
      </IconButton>
      <IconButton
        name="Islands"
        label="Drop islands"
        command="drop-islands"
        disabled={idle}
        onClick={() => actions.clean("dropIslands")}
        testid="drop-islands"
      >
        <icons.DropIslands />
      </IconButton>
      <IconButton
        name="Smooth"
        label="Smooth"
        command="smooth"
        disabled={idle}
        onClick={() => actions.clean("smooth")}
        testid="smooth"
      >
        <icons.Smooth />
      </IconButton>
      <ToolNumber
        name="Strength"
        label={`Strength of smoothing, 1 to ${MAX_SMOOTHING}`}
        title={`Strength of smoothing, 1 (fine) to ${MAX_SMOOTHING} (coarse)`}
        value={smoothing}
        min={1}
        max={MAX_SMOOTHING}
        onChange={(value) => setSmoothing(bench, value)}
        testid="smoothing"
      />
      <IconButton
        name="Refine"
        label="Refine with the model"
        command="refine"
        disabled={idle}
        onClick={() => actions.refine()}
        testid="refine"
      >
        <icons.Refine />
      </IconButton>
      <IconButton
        name="Auto refine"
        label="Auto refine after every stroke"
        command="auto-refine"
        pressed={autoRefine}
        onClick={() => bench.preferences.set({ autoRefine: !autoRefine })}
        testid="auto-refine"
      >
        <icons.AutoRefine />
      </IconButton>
      <IconButton
        name="Undo"
        label="Undo"
        command="undo"
        disabled={!actions.caseClosing.canUndo}
        onClick={() => actions.caseClosing.undo()}
        testid="undo"
      >
        <icons.Undo />
      </IconButton>
      <IconButton
        name="Redo"
        label="Redo"
        command="redo"
        disabled={!editor?.canRedo}
        onClick={() => actions.redo()}
        testid="redo"
      >
        <icons.Redo />
      </IconButton>
    </div>
  );
}
