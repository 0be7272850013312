import { type MouseEvent, useEffect } from "react";
import { BottomBar } from "./bars/BottomBar";
import { DamageNotice } from "./bars/DamageNotice";
import { Notices } from "./bars/Notices";
import { Toasts } from "./bars/Toasts";
import { TopBar } from "./bars/TopBar";
import { focusCanvas } from "./canvas/focus_canvas";
import { StageView } from "./canvas/StageView";
import { ChartChecks } from "./checks/ChartChecks";
import { ClosingDialog } from "./closing/ClosingDialog";
import { ConflictDialog } from "./conflict/ConflictDialog";
import { LongPress } from "./controls/LongPress";
import { followTouch } from "./controls/touch_mode";
import { listenToKeys } from "./keyboard/key_listener";
import { ShortcutHelp } from "./keyboard/ShortcutHelp";
import { Comments } from "./panel/Comments";
import { DisplayPanel } from "./panel/DisplayPanel";
import { LabelChips } from "./panel/LabelChips";
import { ObjectList } from "./panel/ObjectList";
import { Odontogram } from "./panel/Odontogram";
import { ProposalPanel } from "./proposals/ProposalPanel";
import { ShiftDialog } from "./proposals/ShiftDialog";
import { usePreferences, WorkbenchContext, type WorkbenchContextValue } from "./state/context";
import { Toolbar } from "./tools/Toolbar";
import { TouchPad } from "./tools/TouchPad";
import { Tour } from "./tour/Tour";
import { AddImages } from "./worklist/AddImages";
import { Worklist } from "./worklist/Worklist";

export function App({ value }: { value: WorkbenchContextValue }) {
  useEffect(() => listenToKeys(value.bench, value.actions), [value]);
  useEffect(followTouch, []);
  return (
    <WorkbenchContext value={value}>
      <Page />
    </WorkbenchContext>
  );
}

function Page() {
  const worklist = usePreferences((preferences) => preferences.worklist);
  const panel = usePreferences((preferences) => preferences.panel);
  return (
    <div className="page" onClick={giveFocusBack}>
      <TopBar />
      {worklist && <Worklist />}
      <Toolbar />
      <DamageNotice />
      <StageView />
      {panel && (
        <aside className="panel" aria-label="Case">
          <Odontogram />
          <ProposalPanel />
          <ChartChecks />
          <LabelChips />
          <ObjectList />
          <DisplayPanel />
          <Comments />
        </aside>
      )}
      <TouchPad />
      <BottomBar />
      <Notices />
      <AddImages />
      <Tour />
      <Toasts />
      <LongPress />
      <ShortcutHelp />
      <ClosingDialog />
      <ShiftDialog />
      <ConflictDialog />
    </div>
  );
}

/**
 * A control that was used with the mouse gives the focus back to the picture, so that Space and Enter do not press it again. With the
 * keyboard (a click without a mouse has no detail) it keeps the focus.
 */
function giveFocusBack(event: MouseEvent): void {
  if (event.detail === 0 || !(event.target instanceof Element)) return;
  if (
    !event.target.closest('button, input[type="range"], input[type="checkbox"], label.switch') ||
    event.target.closest("dialog, form")
  )
    return;
  focusCanvas();
}
