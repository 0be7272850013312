import { memo, type ReactNode, useCallback, useEffect, useMemo, useRef } from "react";

import { thumbnailUrl } from "../../api/client";
import { CASE_STATUSES, type CaseSummary } from "../../api/types";
import { STATUS_NAMES } from "../bars/TopBar";
import { visible } from "../labels/visible_text";
import { useBench, useCases, usePreferences, useWorkbench } from "../state/context";
import { AddImagesButton } from "./AddImages";
import { fitted } from "./case_name";
import { arranged, type Shown } from "./case_order";
import { MAX_WHOLE, useRowWindow } from "./row_window";

/** As in page.css. */
const OVER_PICTURE = "(max-width: 999px), (orientation: portrait)";

export function Worklist() {
  const { bench } = useWorkbench();
  const cases = useCases((state) => state.cases);
  const pictures = useCases((state) => state.pictures);
  const filter = useBench((state) => state.filter);
  const caseId = useBench((state) => state.caseId);
  const sort = usePreferences((preferences) => preferences.sort);
  const shown = useMemo(() => arranged(cases, { ...filter, sort }), [cases, filter, sort]);
  const ids = useMemo(() => shown.map(({ id }) => id), [shown]);
  const list = useRef<HTMLOListElement>(null);
  const { first, last, above, below, reveal } = useRowWindow(list, ids);
  const place = caseId === null ? -1 : ids.indexOf(caseId);
  const there = place >= 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new order of the list must not scroll it
  useEffect(() => {
    if (there) reveal(place);
  }, [caseId, there]);
  const long = shown.length > MAX_WHOLE;
  const done = cases.filter(({ status }) => status === "done" || status === "approved").length;
  const review = cases.filter(({ status }) => status === "needs-review").length;
  const damaged = cases.filter((one) => one.damaged).length;
  const choose = useCallback(
    async (id: number) => {
      // Where the worklist covers the picture it closes when a case is chosen.
      if (matchMedia(OVER_PICTURE).matches) bench.preferences.set({ worklist: false });
      await bench.openCase(id);
    },
    [bench],
  );
  return (
    <aside className="worklist" aria-label="Worklist" data-testid="worklist" data-region="worklist">
      <div className="worklist-head">
        <input
          type="search"
          placeholder="Search"
          aria-label="Search the worklist"
          value={filter.text}
          onChange={(event) => bench.state.set({ filter: { ...filter, text: event.currentTarget.value } })}
          data-testid="worklist-search"
        />
        <select
          aria-label="Status to show"
          value={filter.status}
          onChange={(event) => bench.state.set({ filter: { ...filter, status: event.currentTarget.value as Shown } })}
          data-testid="worklist-status"
        >
          <option value="all">All</option>
          {CASE_STATUSES.map((status) => (
            <option key={status} value={status}>
              {STATUS_NAMES[status]}
            </option>
          ))}
          {(damaged > 0 || filter.status === "damaged") && <option value="damaged">Damaged</option>}
        </select>
        <select
          aria-label="Order"
          value={sort}
          onChange={(event) =>
            bench.preferences.set({ sort: event.currentTarget.value === "uncertainty" ? "uncertainty" : "name" })
          }
          data-testid="worklist-sort"
        >
          <option value="name">By name</option>
          <option value="uncertainty">Uncertain first</option>
        </select>
      </div>
      <div className="worklist-progress" data-testid="worklist-progress">
        <span>
          <strong>{done}</strong> of {cases.length} finished
          {review > 0 && ` · ${review} to review`}
          {damaged > 0 && ` · ${damaged} damaged`}
        </span>
        <progress
          value={done}
          max={Math.max(1, cases.length)}
          aria-label={`${done} of ${cases.length} cases are finished`}
        />
      </div>
      <Encoding />
      {shown.length === 0 && (
        <p className="hint no-case" role="status" data-testid="no-case">
          {cases.length === 0 ? "The worklist is empty." : "No case matches the search and the status."}
        </p>
      )}
      <ol ref={list} className={`cases ${long ? "long" : ""}`} aria-label="Cases">
        {above > 0 && <li key="above" aria-hidden="true" style={{ height: above }} />}
        {shown.slice(first, last).map((one, row) => (
          <Entry
            key={one.id}
            one={one}
            picture={pictures.get(one.id)}
            open={one.id === caseId}
            choose={choose}
            place={long ? first + row + 1 : undefined}
            count={long ? shown.length : undefined}
          />
        ))}
        {below > 0 && <li key="below" aria-hidden="true" style={{ height: below }} />}
      </ol>
      <AddImagesButton />
    </aside>
  );
}

/** How many images the model has encoded ahead. */
function Encoding() {
  const progress = useCases((state) => state.progress);
  if (!progress) return null;
  const { encoded, total, failed } = progress;
  const reading = encoded + failed.length < total;
  return (
    <>
      {reading && (
        <label className="encoding" data-testid="encoding">
          <span>
            Model reads ahead: <strong>{encoded}</strong> of {total}
          </span>
          <progress value={encoded} max={total} />
        </label>
      )}
      {failed.length > 0 && (
        <details className="encoding-failed">
          <summary>{failed.length} could not be read</summary>
          <ul>
            {failed.map((one) => (
              <li key={one.id}>
                {visible(one.name)}: {visible(one.message)}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

/** Lets lines break after a separator. */
function breakable(name: string): ReactNode[] {
  // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one name keep their order
  return name.split(/(?<=[_.\s-])/).flatMap((part, index) => (index === 0 ? [part] : [<wbr key={index} />, part]));
}

interface EntryProps {
  one: CaseSummary;
  picture: string | undefined;
  open: boolean;
  choose: (id: number) => Promise<void>;
  /** Of a list that is not on the page as a whole: the row's place, from 1, and the number of all. */
  place: number | undefined;
  count: number | undefined;
}

const Entry = memo(function Entry({ one, picture, open, choose, place, count }: EntryProps) {
  return (
    <li data-row={one.id} aria-posinset={place} aria-setsize={count}>
      <button
        type="button"
        className="case"
        aria-current={open}
        onClick={() => void choose(one.id)}
        data-testid={`case-${one.id}`}
      >
        <img
          src={thumbnailUrl(one.id, picture)}
          alt=""
          width={92}
          height={46}
          loading="lazy"
          decoding="async"
          draggable={false}
        />
        <span className="case-text">
          <span className="case-title" title={visible(one.name)}>
            {breakable(fitted(visible(one.name)))}
          </span>
          <span className="case-facts">
            <span className="status" data-status={one.status}>
              {STATUS_NAMES[one.status]}
            </span>
            {one.damaged && (
              <span
                className="damage-mark"
                title="This case is damaged in the server's database: it opens without what is damaged, or not at all"
              >
                Damaged
              </span>
            )}
            {one.objects > 0 && <span title="Objects">{one.objects}</span>}
            {one.proposed > 0 && (
              <span title="Proposals that nobody has accepted or changed">{one.proposed} found</span>
            )}
            {one.comments > 0 && <span title="Comments">“{one.comments}”</span>}
            {one.uncertainty !== null && <span title="How unsure the model is">± {one.uncertainty.toFixed(2)}</span>}
            {!one.encoded && <span title="The model has not read this picture yet">unread</span>}
          </span>
        </span>
      </button>
    </li>
  );
});
