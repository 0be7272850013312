import { createContext, useContext, useSyncExternalStore } from "react";

import type { SyncStatus } from "../api/sync";
import type { CaseEditor } from "../engine/editor";
import type { CaseList } from "./caseList";
import type { Flow } from "./flow";
import type { Preferences } from "./preferences";
import { useStore } from "./store";
import type { Workbench, WorkbenchState } from "./workbench";

export interface Desk {
  bench: Workbench;
  flow: Flow;
}

export const DeskContext = createContext<Desk | null>(null);

export function useDesk(): Desk {
  const desk = useContext(DeskContext);
  if (!desk) throw new Error("No workbench above this component.");
  return desk;
}

export function useBench<S>(select: (state: WorkbenchState) => S): S {
  return useStore(useDesk().bench.state, select);
}

export function useCases<S>(select: (state: ReturnType<CaseList["get"]>) => S): S {
  return useStore(useDesk().bench.cases, select);
}

export function usePreferences<S>(select: (preferences: Preferences) => S): S {
  return useStore(useDesk().bench.preferences, select);
}

export function useSync(): SyncStatus {
  const { sync } = useDesk().bench;
  return useSyncExternalStore(sync.subscribe, () => sync.status());
}

const nothing = () => () => undefined;

/** The open case's editor; the component renders again with each of its changes. */
export function useEditor(): CaseEditor | null {
  const editor = useBench((state) => state.editor);
  useSyncExternalStore(
    editor ? (listener) => editor.subscribe(listener) : nothing,
    () => editor?.version ?? 0,
  );
  return editor;
}
