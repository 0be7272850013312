"""The table of active time and of actions, as CSV: the basis of a study of how long labelling takes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from dentasam.data.table import csv_text
from dentasam.labelling.log.active_time import ActiveTime
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.database.damage import Damage, DamagedData
from dentasam.labelling.log.fold import CaseState, undone_ids
from dentasam.labelling.log.operations import ChangeMask, Create, StoredOperation
from dentasam.labelling.log.store import Store

ActionKey = tuple[str, str, str]  # annotator, object (empty for none) and tool

PROMPT_TOOLS = frozenset({"click", "box"})
STROKE_TOOLS = frozenset({"brush", "eraser", "lasso"})
# Changes that follow from an action rather than being one: the model's answer to a stroke, and what a stroke on
# another object took from this one.
PASSIVE_TOOLS = frozenset({"refine", "neighbour"})

COLUMNS = (
    "scope",
    "case",
    "status",
    "annotator",
    "tool",
    "object",
    "category",
    "seconds",
    "prompts",
    "strokes",
    "corrections",
    "model_score",
)


@dataclass(frozen=True, slots=True)
class ActionCounts:
    """How many actions of each kind one annotator did on one object, without those that were undone.

    prompts: clicks and boxes. strokes: brush, eraser and lasso. corrections: prompts, strokes and region tools after
    the object had a first proposal, by the model or imported.
    """

    prompts: int = 0
    strokes: int = 0
    corrections: int = 0

    def __add__(self, other: "ActionCounts") -> "ActionCounts":
        return ActionCounts(
            self.prompts + other.prompts, self.strokes + other.strokes, self.corrections + other.corrections
        )


def count_actions(log: Sequence[StoredOperation]) -> dict[ActionKey, ActionCounts]:
    """Actions by annotator, object and tool, from the whole log of a case."""
    found: dict[ActionKey, ActionCounts] = {}
    undone = undone_ids(log)
    proposed: set[str] = set()
    for stored in log:
        operation = stored.operation
        if operation.id in undone or operation.undoes is not None:
            continue
        if isinstance(operation, Create) and operation.data.source != "manual" and operation.mask is not None:
            proposed.add(operation.object)
        if not isinstance(operation, ChangeMask):
            continue
        tool, object = operation.data.tool, operation.object
        corrects = object in proposed and tool not in PASSIVE_TOOLS
        counts = ActionCounts(int(tool in PROMPT_TOOLS), int(tool in STROKE_TOOLS), int(corrects))
        key = stored.annotator, object, tool
        found[key] = found.get(key, ActionCounts()) + counts
        if operation.data.model is not None:
            proposed.add(object)
    return found


def timing_csv(store: Store, damages: list[Damage] | None = None) -> str:
    """Active seconds and actions as CSV: for each case and annotator a row, then a row per tool and per object.

    The column `scope` says which of the three a row is; rows of one scope add up to the whole, those of different
    scopes do not. `model_score` is the IoU that the model last predicted for the object, in a case's row the mean
    over its objects, without proposals that nobody has touched.

    damages: what is damaged in the database is added to it; actions on objects with a damaged operation, and damaged
    times, are left out.
    """
    damages = [] if damages is None else damages
    rows: list[Sequence[object]] = [COLUMNS]
    store.complete()
    for case in store.cases():
        try:
            times = store.active_times(case.id, damages)
            checked = store.checked_log(case.id) if case.revision else None
            state = store.state(case.id)
        except DamagedData as error:
            damages += error.damages
            continue
        damages += [*(checked.damages if checked else ()), *state.damaged]
        for row in _case_rows(case, times, checked.undamaged if checked else [], state):
            rows.append([_cell(row.get(column)) for column in COLUMNS])
    return csv_text(rows)


def _case_rows(
    case: Case, times: Sequence[ActiveTime], log: Sequence[StoredOperation], state: CaseState
) -> Iterator[dict[str, object]]:
    counts = count_actions(log)
    seconds: defaultdict[ActionKey, float] = defaultdict(float)
    for time in times:
        seconds[time.annotator, time.object or "", time.tool] += time.stop - time.start
    scores = {id: known.score for id, known in state.objects.items() if known.score is not None}
    present_scores = [scores[known.id] for known in state.present if known.id in scores and not known.proposed]
    mean_score = sum(present_scores) / len(present_scores) if present_scores else None
    for annotator, own_keys in groupby(sorted(seconds.keys() | counts.keys()), key=lambda key: key[0]):
        keys = list(own_keys)
        common = {"case": case.name, "status": case.status, "annotator": annotator}
        yield common | {"scope": "case", "model_score": mean_score} | _sums(keys, seconds, counts)
        for tool in sorted({key[2] for key in keys}):
            of_tool = [key for key in keys if key[2] == tool]
            yield common | {"scope": "tool", "tool": tool} | _sums(of_tool, seconds, counts)
        for object, of_object in groupby(keys, key=lambda key: key[1]):
            known = state.objects.get(object)
            about = {
                "object": object,
                "category": known.category if known else None,
                "model_score": scores.get(object),
            }
            yield common | {"scope": "object"} | about | _sums(list(of_object), seconds, counts)


def _sums(
    keys: Sequence[ActionKey], seconds: Mapping[ActionKey, float], counts: Mapping[ActionKey, ActionCounts]
) -> dict[str, object]:
    total = sum((counts.get(key, ActionCounts()) for key in keys), ActionCounts())
    numbers = {"prompts": total.prompts, "strokes": total.strokes, "corrections": total.corrections}
    return numbers | {"seconds": sum((seconds.get(key, 0.0) for key in keys), 0.0)}


def _cell(value: object) -> object:
    return f"{value:.3f}" if isinstance(value, float) else value
