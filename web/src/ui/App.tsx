import { useEffect, type MouseEvent } from "react";

import { AddImages } from "./AddImages";
import { BottomBar } from "./BottomBar";
import { ClosingDialog } from "./ClosingDialog";
import { Comments } from "./Comments";
import { ConflictDialog } from "./ConflictDialog";
import { DeskContext, usePreferences, type Desk } from "./context";
import { DisplayPanel } from "./DisplayPanel";
import { listenToKeys } from "./keyboard";
import { LabelChips } from "./LabelChips";
import { Notices } from "./Notices";
import { ObjectList } from "./ObjectList";
import { LongPress } from "./LongPress";
import { Odontogram } from "./Odontogram";
import { ShortcutHelp } from "./ShortcutHelp";
import { StageView } from "./StageView";
import { Toasts } from "./Toasts";
import { Toolbar } from "./Toolbar";
import { followTouch } from "./touch";
import { TopBar } from "./TopBar";
import { Tour } from "./Tour";
import { TouchPad } from "./TouchPad";
import { Worklist } from "./Worklist";

export function App({ desk }: { desk: Desk }) {
  useEffect(() => listenToKeys(desk.bench, desk.flow), [desk]);
  useEffect(followTouch, []);
  return (
    <DeskContext value={desk}>
      <Page />
    </DeskContext>
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
      <StageView />
      {panel && (
        <aside className="panel" aria-label="Case">
          <Odontogram />
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
      <ConflictDialog />
    </div>
  );
}

/**
 * A control used with the mouse hands the keys back to the picture, so that Space and Enter do not press it again. Used with the
 * keyboard (a click without a mouse has no detail) it keeps the focus.
 */
function giveFocusBack(event: MouseEvent): void {
  if (event.detail === 0 || !(event.target instanceof Element)) return;
  if (!event.target.closest('button, input[type="range"], input[type="checkbox"], label.switch') || event.target.closest("dialog, form")) return;
  document.querySelector<HTMLElement>(".stage-host")?.focus({ preventScroll: true });
}
