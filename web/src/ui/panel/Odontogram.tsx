import { type CSSProperties, type KeyboardEvent, type MouseEvent, useState } from "react";
import { Switch } from "../controls/Switch";
import { DECIDUOUS, isDeciduous, isTooth, neighbour, PERMANENT, type ToothUse, toothUses } from "../labels/fdi";
import { visibleSentences } from "../labels/visible_text";
import { useEditor, usePreferences, useWorkbench } from "../state/context";

const SAID: Record<ToothUse, string> = {
  absent: "not there; press to mark it as missing",
  missing: "marked as missing; press to take that back",
  unsure: "proposed, unsure",
  proposed: "proposed",
  assigned: "assigned",
  accepted: "accepted",
  twice: "used more than once",
};

const MOVES = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);

/**
 * The teeth as dentists read them, and what is known of each. Choosing one goes to it, or marks one that is not there as missing;
 * an active object without a label gets its number, and so does any other with *Renumber* or Shift.
 */
export function Odontogram() {
  const { bench, actions } = useWorkbench();
  const editor = useEditor();
  const deciduous = usePreferences((preferences) => preferences.deciduous);
  const threshold = usePreferences((preferences) => preferences.threshold);
  const rows = deciduous ? DECIDUOUS : PERMANENT;
  const active = editor?.active?.category ?? null;
  const [reached, setReached] = useState("11");
  const [renumbers, setRenumbers] = useState(false);
  const all = rows.flat();
  const stop = all.includes(reached)
    ? reached
    : active !== null && all.includes(active)
      ? active
      : (all[0] ?? reached);
  const objects = editor?.objects ?? [];
  const uses = toothUses(objects, editor?.missing ?? [], threshold);
  const elsewhere = objects.filter(
    ({ category }) => category && isTooth(category) && isDeciduous(category) !== deciduous,
  ).length;

  const move = (event: KeyboardEvent<HTMLElement>) => {
    if (!MOVES.has(event.key)) return;
    event.preventDefault();
    const next = neighbour(rows, stop, event.key);
    setReached(next);
    event.currentTarget.querySelector<HTMLElement>(`[data-tooth="${next}"]`)?.focus();
  };

  return (
    <section className="panel-part" aria-label="Odontogram">
      <header className="panel-head">
        <h2>Teeth</h2>
        <span className="side-hint" title="As on the picture: the patient's right is on the left">
          R · L
        </span>
        <button
          type="button"
          className="quiet renumber"
          aria-pressed={renumbers && active !== null}
          disabled={active === null}
          title="The next tooth that is pressed here gives its number to the active object (also Shift and a click)"
          onClick={() => setRenumbers(!renumbers)}
          data-testid="renumber"
        >
          Renumber
        </button>
        <Switch
          label="Deciduous"
          checked={deciduous}
          onChange={(checked) => bench.preferences.set({ deciduous: checked })}
          testid="deciduous"
        />
      </header>
      <div
        role="grid"
        aria-label="FDI numbers, patient's right on the left"
        className="teeth"
        data-testid="odontogram"
        data-region="odontogram"
        onKeyDown={move}
      >
        {rows.map((teeth, row) => (
          <div
            role="row"
            className={`jaw ${row === 0 ? "upper" : "lower"} ${deciduous ? "deciduous" : ""}`}
            key={teeth[0]}
          >
            {teeth.map((tooth, column) => {
              const use = uses.get(tooth) ?? "absent";
              const label = bench.labels.get(tooth);
              const title = label && visibleSentences(label.title);
              const style = { "--tooth": label?.colour ?? "var(--muted)" } as CSSProperties;
              return (
                <button
                  type="button"
                  role="gridcell"
                  key={tooth}
                  data-tooth={tooth}
                  data-use={use}
                  data-testid={`tooth-${tooth}`}
                  className={`tooth ${column === teeth.length / 2 ? "midline" : ""}`}
                  style={style}
                  tabIndex={tooth === stop ? 0 : -1}
                  aria-selected={tooth === active}
                  aria-label={`${tooth} ${title ?? "tooth"}, ${SAID[use]}`}
                  title={`${tooth} ${title ?? ""}: ${SAID[use]} (${tooth[0]} ${tooth[1]})`}
                  disabled={!label}
                  onFocus={() => setReached(tooth)}
                  onClick={(event) => choose(tooth, event)}
                >
                  {tooth}
                </button>
              );
            })}
          </div>
        ))}
      </div>
      {elsewhere > 0 && (
        <p className="hint">
          {elsewhere} more in the {deciduous ? "permanent" : "deciduous"} teeth.
        </p>
      )}
    </section>
  );

  function choose(tooth: string, { shiftKey }: MouseEvent): void {
    const given = editor?.active;
    setRenumbers(false);
    if (given && (given.category === null || renumbers || shiftKey)) return actions.assign(tooth);
    const owners = objects.filter((object) => object.category === tooth);
    // Of two with one number, the other one.
    const owner = owners[(owners.findIndex(({ id }) => id === editor?.activeId) + 1) % Math.max(1, owners.length)];
    if (owner) actions.focus(owner.id);
    else actions.proposals.toggleMissing(tooth);
  }
}
