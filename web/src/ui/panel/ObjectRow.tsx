import { type CSSProperties, memo, useEffect, useRef } from "react";

import type { CaseObject } from "../../engine/editing/case_editor";
import { IconButton } from "../controls/IconButton";
import { Bin, Check, Eye, EyeOff, Lock, Unlock } from "../controls/icons";
import { useWorkbench } from "../state/context";

interface RowProps {
  object: CaseObject;
  active: boolean;
  name: string;
  colour: string;
  parentName: string | null;
  /** How many objects of the case have the same tooth number. */
  users: number;
  /** Values of the object, so that a row renders only when its own change. */
  area: number;
  accepted: boolean;
  hidden: boolean;
  locked: boolean;
  score: number | null;
  proposed: boolean;
  unsure: boolean;
  /** The number that the model offers for an object without a label. */
  offer: string | null;
}

const count = new Intl.NumberFormat("en");

export const ObjectRow = memo(function ObjectRow(props: RowProps) {
  const { object, active, name, colour, parentName, users, area, accepted, hidden, locked, score } = props;
  const { proposed, unsure, offer } = props;
  const { actions } = useWorkbench();
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (active) row.current?.scrollIntoView({ block: "nearest" });
    // A renamed object moves to another place in the list.
  }, [active, name]);

  return (
    <li
      ref={row}
      className={`object ${active ? "active" : ""} ${hidden ? "hidden-object" : ""} ${unsure ? "unsure" : ""}`}
      aria-current={active}
      data-testid="object"
      data-object={object.id}
      data-proposed={proposed}
      style={{ "--object": colour } as CSSProperties}
    >
      <button type="button" className="object-name" onClick={() => actions.focus(object.id)}>
        <span className={`swatch ${proposed ? "proposed" : ""}`} aria-hidden="true" />
        <span className="object-title">
          {name}
          {unsure && <strong className="unsure-mark">?</strong>}
          {offer !== null && <small> {offer}?</small>}
          {users > 1 && (
            <strong className="warn" title="This number is used more than once">
              {" "}
              ×{users}
            </strong>
          )}
          {parentName && <small> in {parentName}</small>}
          <span className="unseen">
            , {accepted ? "accepted" : unsure ? "proposed, unsure" : proposed ? "proposed" : "not accepted"},{" "}
          </span>
        </span>
        <span className="object-figures">
          {proposed ? (
            <span title="How sure the model is that it is there and has this number">
              {Math.round(100 * (object.confidence ?? 0))} %
            </span>
          ) : (
            score !== null && <span title="What the model thinks of its mask">{Math.round(score * 100)} %</span>
          )}
          <span className="object-area" title="Area in image pixels">
            {count.format(area)} px
          </span>
        </span>
      </button>
      {/* At the near end, so that it never comes to lie where another row has its tick. */}
      {active && (
        <IconButton
          label={`Delete ${name}`}
          command="remove"
          onClick={() => actions.remove(object.id)}
          testid="object-delete"
        >
          <Bin />
        </IconButton>
      )}
      <IconButton
        label={hidden ? `Show ${name}` : `Hide ${name}`}
        command="hide"
        pressed={hidden}
        onClick={() => actions.toggleHidden(object.id)}
        testid="object-hide"
      >
        {hidden ? <EyeOff /> : <Eye />}
      </IconButton>
      <IconButton
        label={locked ? `Unlock ${name}` : `Lock ${name}`}
        command="lock"
        pressed={locked}
        onClick={() => actions.toggleLocked(object.id)}
        testid="object-lock"
      >
        {locked ? <Lock /> : <Unlock />}
      </IconButton>
      <IconButton
        label={accepted ? `Take back the acceptance of ${name}` : `Accept ${name}`}
        command="accept"
        pressed={accepted}
        className="accept"
        onClick={() => actions.toggleAccepted(object.id)}
        testid="object-accept"
      >
        <Check />
      </IconButton>
    </li>
  );
});
