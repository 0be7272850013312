import { signOutUrl } from "../../api/client";
import { CASE_STATUSES, type CaseStatus } from "../../api/types";
import { IconButton } from "../controls/IconButton";
import { Help, List, Next, Panel, Previous, Theme } from "../controls/icons";
import { visible } from "../labels/visible_text";
import { useBench, useCases, usePreferences, useWorkbench } from "../state/context";
import { Downloads } from "./Downloads";

export const STATUS_NAMES: Record<CaseStatus, string> = {
  new: "New",
  "in-progress": "In progress",
  done: "Done",
  "needs-review": "Needs review",
  approved: "Approved",
};

export function TopBar() {
  const { bench, actions } = useWorkbench();
  const { theme, worklist, panel } = usePreferences((preferences) => preferences);
  const caseId = useBench((state) => state.caseId);
  const open = useCases(({ cases }) => cases.find((one) => one.id === caseId));
  const other = theme === "dark" ? "light" : "dark";
  return (
    <header className="top-bar" data-region="top">
      <IconButton
        label="Worklist"
        command="worklist"
        pressed={worklist}
        onClick={() => bench.preferences.set({ worklist: !worklist })}
        testid="worklist-toggle"
      >
        <List />
      </IconButton>
      <IconButton
        label="Previous case"
        command="previous-case"
        disabled={!open}
        onClick={() => void bench.step(-1)}
        testid="previous-case"
      >
        <Previous />
      </IconButton>
      <IconButton
        label="Next case"
        command="next-case"
        disabled={!open}
        onClick={() => void bench.step(1)}
        testid="next-case"
      >
        <Next />
      </IconButton>
      <h1 className="case-name" data-testid="case-name" title={open && visible(open.name)}>
        {open ? visible(open.name) : "dentasam"}
      </h1>
      {open && (
        <>
          <span className="case-size">
            {open.width} × {open.height}
          </span>
          <label className="case-status">
            <span className="unseen">Status of the case</span>
            <select
              value={open.status}
              data-status={open.status}
              onChange={(event) => actions.caseClosing.setStatus(event.currentTarget.value as CaseStatus)}
              data-testid="case-status"
            >
              {CASE_STATUSES.map((status) => (
                <option key={status} value={status}>
                  {STATUS_NAMES[status]}
                </option>
              ))}
            </select>
          </label>
          {open.status !== "done" && open.status !== "approved" && (
            <button
              type="button"
              className="quiet done"
              title="Close the case and open the next one that is not finished (Enter, when all objects are accepted)"
              onClick={() => actions.caseClosing.done(true)}
              data-testid="done"
            >
              Done
            </button>
          )}
        </>
      )}
      <span className="spring" />
      <span
        className="annotator"
        title={bench.session.model ? `Model ${visible(bench.session.model.name)}` : undefined}
      >
        <bdi>{visible(bench.session.annotator)}</bdi>
      </span>
      {bench.session.sign_out && (
        <form method="post" action={signOutUrl()}>
          <button type="submit" className="quiet" data-testid="sign-out">
            Sign out
          </button>
        </form>
      )}
      <Downloads />
      <IconButton
        label={`${other === "light" ? "Light" : "Dark"} theme`}
        onClick={() => bench.preferences.set({ theme: other })}
        testid="theme"
      >
        <Theme />
      </IconButton>
      <IconButton label="Keys" command="help" onClick={() => bench.state.set({ help: true })} testid="help">
        <Help />
      </IconButton>
      <IconButton
        label="Side panel"
        command="panel"
        pressed={panel}
        onClick={() => bench.preferences.set({ panel: !panel })}
        testid="panel-toggle"
      >
        <Panel />
      </IconButton>
    </header>
  );
}
