import { useEffect, useState } from "react";
import type { Label } from "../../api/types";
import type { CaseEditor } from "../../engine/editing/case_editor";
import { nameOf } from "../labels/label_names";
import { Section } from "../panel/Section";
import { useEditor, useWorkbench } from "../state/context";
import { type Check, type CheckKind, chartChecks } from "./chart_checks";

/** Checks wait for so long without a change, so that no stroke and no key waits for them. */
const PAUSE_MS = 150;
const MAX_LISTED = 8;

const TITLES: Record<CheckKind, string> = {
  "number-twice": "Number used twice",
  side: "On the other side of the midline",
  order: "Not in the order of the arch",
  size: "Unusual size for its number",
  "same-pixels": "Mostly the same pixels",
  skipped: "Number left out",
  gap: "Wide gap",
};

/** What stands out in the chart; nothing of it has to be dealt with. */
export function ChartChecks() {
  const { bench } = useWorkbench();
  const editor = useEditor();
  const checks = useChecks(editor, bench.labels);
  const kinds = [...new Set(checks.map(({ kind }) => kind))];
  if (!editor || editor.objects.length === 0) return null;
  return (
    <Section
      name="checks"
      title="Checks"
      note={checks.length === 0 ? "nothing stands out" : `${checks.length} to look at`}
    >
      {checks.length > 0 && (
        <ul className="checks" data-testid="checks">
          {kinds.map((kind) => {
            const found = checks.filter((check) => check.kind === kind);
            return (
              <li key={kind} data-check={kind}>
                {TITLES[kind]}
                {found.slice(0, MAX_LISTED).map((check) => (
                  <Finding key={check.objects.join()} check={check} editor={editor} />
                ))}
                {found.length > MAX_LISTED && <span className="hint">and {found.length - MAX_LISTED} more</span>}
              </li>
            );
          })}
        </ul>
      )}
    </Section>
  );
}

/** Goes to the objects that a check is about, one after the other; marks what is absent as missing. */
function Finding({ check: { objects, absent }, editor }: { check: Check; editor: CaseEditor }) {
  const { bench, actions } = useWorkbench();
  const names = objects.map((id) => nameOf(editor.object(id)?.category ?? null, bench.labels));
  const next = () => {
    const id = objects[(objects.indexOf(editor.activeId ?? "") + 1) % objects.length];
    if (id !== undefined) actions.focus(id);
  };
  const known = absent.filter((number) => bench.labels.has(number));
  const mark = () => editor.group(() => known.forEach((number) => void editor.setMissing(number, true)));
  return (
    <>
      <button type="button" className="finding" title="Go to it; again: to the other one" onClick={next}>
        {[...new Set(names)].join(", ")}
      </button>
      {known.length > 0 && (
        <button type="button" className="finding" title="Mark as missing" onClick={mark}>
          {known.join(", ")} missing?
        </button>
      )}
    </>
  );
}

function useChecks(editor: CaseEditor | null, labels: ReadonlyMap<string, Label>): readonly Check[] {
  const [known, setKnown] = useState<{ of: CaseEditor | null; checks: readonly Check[] }>({ of: null, checks: [] });
  const version = editor?.version ?? 0;
  useEffect(() => {
    if (!editor) return;
    const timer = setTimeout(
      () => setKnown({ of: editor, checks: chartChecks(editor.objects, editor.missing, labels) }),
      PAUSE_MS,
    );
    return () => clearTimeout(timer);
  }, [editor, labels, version]);
  // Of an object that is gone by now nothing is listed until the checks have run again.
  const there = (id: string) => editor?.object(id)?.deleted === false;
  return known.of === editor ? known.checks.filter(({ objects }) => objects.every(there)) : [];
}
