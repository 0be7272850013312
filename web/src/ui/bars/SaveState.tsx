import type { SyncState } from "../../api/sync/sync";
import { visible } from "../labels/visible_text";
import { useBench, useSync, useWorkbench } from "../state/context";

type Shown = SyncState | "opening";

const SAID: Record<Shown, string> = {
  opening: "Opening …",
  saved: "Saved",
  saving: "Saving …",
  offline: "Offline",
  full: "Disk full",
  damaged: "Not all saved",
  conflict: "Conflict",
};

const MEANS: Record<Shown, string> = {
  opening: "The case is not there yet.",
  saved: "Everything is on the server.",
  saving: "On its way to the server; this browser has it already.",
  offline: "The server does not answer. The work is kept in this browser and sent when it is back.",
  full: "A disk is full. Make room; sending is tried again by itself.",
  damaged:
    "The server's database is damaged at an object. Work on it is kept in this browser; everything else is saved.",
  conflict: "Somebody changed the same object.",
};

export function SaveState() {
  const { bench } = useWorkbench();
  const { state: sent, pending, detail: said } = useSync();
  const detail = said === null ? null : visible(said);
  const opening = useBench((state) => state.openingId !== null);
  const open = useBench((state) => state.caseId !== null);
  // "Saved" is shown only for an open case, and only when nothing is pending.
  const state: Shown = sent !== "saved" ? sent : opening ? "opening" : pending > 0 ? "saving" : sent;
  if (!open && !opening && sent === "saved") return null;
  return (
    <button
      type="button"
      className={`save-state ${state}`}
      title={`${detail ?? MEANS[state]} (Ctrl+S sends what is unsent)`}
      onClick={() => void bench.sync.flush()}
      data-testid="save-state"
      data-state={state}
      data-pending={pending}
    >
      <span className="dot" aria-hidden="true" />
      {SAID[state]}
      {pending > 0 && state !== "saving" && ` · ${pending}`}
      {/* The count changes with every stroke: only the state itself is read aloud. */}
      <span className="unseen" aria-live="polite">
        {state === "saving" ? "" : `${SAID[state]}. ${detail ?? ""}`}
      </span>
    </button>
  );
}
