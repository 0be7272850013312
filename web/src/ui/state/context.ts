import { createContext, useContext, useSyncExternalStore } from "react";

import type { SyncStatus } from "../../api/sync/sync";
import type { CaseEditor } from "../../engine/editing/case_editor";
import type { CaseList } from "../worklist/case_list";
import type { AnnotationActions } from "./annotation_actions";
import type { Preferences } from "./preferences";
import { useStore } from "./store";
import type { Workbench } from "./workbench";
import type { WorkbenchState } from "./workbench_state";

export interface WorkbenchContextValue {
  bench: Workbench;
  actions: AnnotationActions;
}

export const WorkbenchContext = createContext<WorkbenchContextValue | null>(null);

export function useWorkbench(): WorkbenchContextValue {
  const value = useContext(WorkbenchContext);
  if (!value) throw new Error("No workbench above this component.");
  return value;
}

export function useBench<S>(select: (state: WorkbenchState) => S): S {
  return useStore(useWorkbench().bench.state, select);
}

export function useCases<S>(select: (state: ReturnType<CaseList["get"]>) => S): S {
  return useStore(useWorkbench().bench.cases, select);
}

export function usePreferences<S>(select: (preferences: Preferences) => S): S {
  return useStore(useWorkbench().bench.preferences, select);
}

export function useSync(): SyncStatus {
  const { sync } = useWorkbench().bench;
  return useSyncExternalStore(sync.subscribe, () => sync.status());
}

const nothing = () => () => undefined;

/** The open case's editor; the component renders again with each of its changes. */
export function useEditor(): CaseEditor | null {
  const editor = useBench((state) => state.editor);
  useSyncExternalStore(editor ? (listener) => editor.subscribe(listener) : nothing, () => editor?.version ?? 0);
  return editor;
}
