import type { CaseObject } from "../engine/editor";
import { useDesk, useEditor } from "./context";
import { IconButton } from "./controls";
import { toothUses } from "./fdi";
import { New } from "./icons";
import { nameOf } from "./labels";
import { inChartOrder } from "./objectOrder";
import { ObjectRow } from "./ObjectRow";
import { Section } from "./Section";

/** The objects of the case, in the order of the chart. */
export function ObjectList() {
  const { bench, flow } = useDesk();
  const editor = useEditor();
  const objects = inChartOrder(editor?.objects ?? [], bench.labels);
  const uses = toothUses(objects);
  const accepted = objects.filter((object) => object.accepted).length;
  const active = editor?.active ?? null;
  const name = ({ category }: CaseObject) => nameOf(category, bench.labels);

  return (
    <Section
      name="objects"
      title="Objects"
      note={objects.length > 0 ? `${accepted} of ${objects.length} accepted` : ""}
      action={
        <IconButton label="New object" command="new" onClick={() => flow.begin()} testid="new-object">
          <New />
        </IconButton>
      }
    >
      {objects.length === 0 && <p className="hint">Click on a tooth: the model outlines it.</p>}
      <ul className="objects" data-testid="object-list">
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
              users={uses.get(object.category ?? "") === "twice" ? objects.filter(({ category }) => category === object.category).length : 1}
              area={object.area}
              accepted={object.accepted}
              hidden={object.hidden}
              locked={object.locked}
              score={object.score}
            />
          );
        })}
      </ul>
      {active && <ParentChoice active={active} objects={objects} name={name} />}
    </Section>
  );
}

interface ParentProps {
  active: CaseObject;
  objects: readonly CaseObject[];
  name: (object: CaseObject) => string;
}

/** To which tooth a restoration or lesion belongs. */
function ParentChoice({ active, objects, name }: ParentProps) {
  const { bench } = useDesk();
  const kind = active.category === null ? undefined : bench.labels.get(active.category)?.kind;
  const teeth = objects.filter(({ id, category }) => id !== active.id && category !== null && bench.labels.get(category)?.kind === "tooth");
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
