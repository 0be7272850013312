import type { CaseObject } from "../../engine/editing/case_editor";
import { isUnsure } from "../../engine/editing/proposals";
import { IconButton } from "../controls/IconButton";
import { New } from "../controls/icons";
import { isTooth } from "../labels/fdi";
import { nameOf } from "../labels/label_names";
import { inChartOrder } from "../labels/object_order";
import { OfferedNumbers } from "../proposals/OfferedNumbers";
import { RunShift } from "../proposals/RunShift";
import { useBench, useEditor, usePreferences, useWorkbench } from "../state/context";
import { ObjectRow } from "./ObjectRow";
import { Section } from "./Section";

/** The objects of the case, in the order of the chart. */
export function ObjectList() {
  const { bench, actions } = useWorkbench();
  const editor = useEditor();
  const objects = inChartOrder(editor?.objects ?? [], bench.labels);
  const threshold = usePreferences((preferences) => preferences.threshold);
  useBench((state) => state.offers);
  const accepted = objects.filter((object) => object.accepted).length;
  const active = editor?.active ?? null;
  const name = ({ category }: CaseObject) => nameOf(category, bench.labels);

  return (
    <Section
      name="objects"
      title="Objects"
      note={objects.length > 0 ? `${accepted} of ${objects.length} accepted` : ""}
      action={
        <IconButton label="New object" command="new" onClick={() => actions.begin()} testid="new-object">
          <New />
        </IconButton>
      }
    >
      {objects.length === 0 && <p className="hint">Click on a tooth: the model outlines it.</p>}
      <ul ref={keepActiveInSight} className="objects" data-testid="object-list">
        {objects.map((object) => {
          const parent = object.parent === null ? undefined : editor?.object(object.parent);
          return (
            <ObjectRow
              key={object.id}
              object={object}
              active={object.id === active?.id}
              name={name(object)}
              colour={bench.colourOf(object)}
              parentName={parent ? name(parent) : null}
              users={
                object.category !== null && isTooth(object.category)
                  ? objects.filter(({ category }) => category === object.category).length
                  : 1
              }
              area={object.area}
              accepted={object.accepted}
              hidden={object.hidden}
              locked={object.locked}
              score={object.score}
              proposed={object.proposed}
              unsure={isUnsure(object, threshold)}
              offer={actions.offerOf(object)}
            />
          );
        })}
      </ul>
      {active && <OfferedNumbers active={active} />}
      {active && <RunShift active={active} />}
      {active && <ParentChoice active={active} objects={objects} name={name} />}
    </Section>
  );
}

/** Keeps the active row in sight when other parts of the panel take room from the list. */
function keepActiveInSight(list: HTMLUListElement): () => void {
  const show = () => list.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  const watching = new ResizeObserver(show);
  watching.observe(list);
  return () => watching.disconnect();
}

interface ParentProps {
  active: CaseObject;
  objects: readonly CaseObject[];
  name: (object: CaseObject) => string;
}

/** To which tooth a restoration or lesion belongs. */
function ParentChoice({ active, objects, name }: ParentProps) {
  const { bench } = useWorkbench();
  const kind = active.category === null ? undefined : bench.labels.get(active.category)?.kind;
  const teeth = objects.filter(
    ({ id, category }) => id !== active.id && category !== null && bench.labels.get(category)?.kind === "tooth",
  );
  if (kind === "tooth") return null;
  if (active.parent === null && (teeth.length === 0 || active.category === null)) return null;
  return (
    <label className="parent">
      <span>Tooth of {name(active)}</span>
      <select
        value={active.parent ?? ""}
        onChange={(event) => bench.editor?.setParent(active.id, event.currentTarget.value || null)}
        data-testid="parent"
      >
        <option value="">none</option>
        {teeth.map((tooth) => (
          <option key={tooth.id} value={tooth.id}>
            {name(tooth)}
          </option>
        ))}
      </select>
    </label>
  );
}
