"""Active time: what counts of it, and the table a study is made from.

The page measures, and leaves idle time out; here each second of an annotator is counted once.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from dentasam.data.table import csv_text
from dentasam.labelling.log.fold import CaseState, undone_ids
from dentasam.labelling.log.operations import ChangeMask, Create, StoredOperation

if TYPE_CHECKING:
    from dentasam.labelling.log.store import ActiveTime, Case, Store

Key = tuple[str, str, str]  # annotator, object (empty for none) and tool

PROMPT_TOOLS = frozenset({"click", "box"})
STROKE_TOOLS = frozenset({"brush", "eraser", "lasso"})
# What the model did after a stroke, or what a stroke on another object did to this one, is no act on it.
PASSIVE_TOOLS = frozenset({"refine", "neighbour"})
# The page reports every 15 s, so even where the idle cut-off is shorter, spans up to twice that are sound.
LONGEST_REPORT = 30.0

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


class Interval(Protocol):
    """Active time as the page reports it: `start` in milliseconds since 1970."""

    @property
    def tool(self) -> str: ...
    @property
    def object(self) -> str | None: ...
    @property
    def start(self) -> int: ...
    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From `start` to `stop`, seconds since 1970."""

    start: float
    stop: float


def counted(interval: Interval, idle_seconds: float) -> Span:
    """What counts of an interval: one longer than the idle cut-off holds a pause, and ends at the cut-off."""
    start = interval.start / 1000
    return Span(start, start + min(max(interval.seconds, 0.0), max(idle_seconds, LONGEST_REPORT)))


def uncovered(span: Span, taken: Sequence[Span]) -> list[Span]:
    """The parts of `span` that none of `taken` covers; `taken` is sorted and without overlap."""
    parts: list[Span] = []
    start = span.start
    for other in taken[max(0, bisect_right(taken, start, key=lambda other: other.start) - 1) :]:
        if other.start >= span.stop:
            break
        if other.start > start:
            parts.append(Span(start, other.start))
        start = max(start, other.stop)
    if start < span.stop:
        parts.append(Span(start, span.stop))
    return parts


def fresh_parts(
    intervals: Iterable[Interval], taken: Iterable[Span], idle_seconds: float
) -> list[tuple[Interval, Span]]:
    """What the intervals add to the time that is `taken` already: parts without overlap, the earliest first."""
    known = sorted(taken)
    added: list[tuple[Interval, Span]] = []
    for interval in sorted(intervals, key=lambda interval: interval.start):
        for part in uncovered(counted(interval, idle_seconds), known):
            insort(known, part)
            added.append((interval, part))
    return added


@dataclass(frozen=True, slots=True)
class Acts:
    """How many acts of each kind one annotator did on one object; those that were undone are not among them.

    prompts: clicks and boxes. strokes: brush, eraser and lasso. corrections: prompts, strokes and region tools after
    the object had a first proposal, by the model or imported.
    """

    prompts: int = 0
    strokes: int = 0
    corrections: int = 0

    def __add__(self, other: "Acts") -> "Acts":
        return Acts(self.prompts + other.prompts, self.strokes + other.strokes, self.corrections + other.corrections)


def acts(log: Sequence[StoredOperation]) -> dict[Key, Acts]:
    """Acts by annotator, object and tool, from a case's whole log."""
    found: dict[Key, Acts] = {}
    taken_back = undone_ids(log)
    proposed: set[str] = set()
    for stored in log:
        operation = stored.operation
        if operation.id in taken_back or operation.undoes is not None:
            continue
        if isinstance(operation, Create) and operation.data.source != "manual" and operation.mask is not None:
            proposed.add(operation.object)
        if not isinstance(operation, ChangeMask):
            continue
        tool, object = operation.data.tool, operation.object
        corrects = object in proposed and tool not in PASSIVE_TOOLS
        act = Acts(int(tool in PROMPT_TOOLS), int(tool in STROKE_TOOLS), int(corrects))
        key = stored.annotator, object, tool
        found[key] = found.get(key, Acts()) + act
        if operation.data.model is not None:
            proposed.add(object)
    return found


def timing_csv(store: "Store") -> str:
    """Active seconds and acts as CSV, a row per case and annotator, and within it per tool and per object.

    The column `scope` says which: rows of one scope add up to the whole, those of different scopes do not.
    `model_score` is the last IoU the model expected of the object, and the mean of those in a case's row.
    """
    rows: list[Sequence[object]] = [COLUMNS]
    for case in store.cases():
        spent = store.active_times(case.id)
        log = store.operations(case.id, masks=False) if case.revision else []
        rows += [[_shown(row.get(key)) for key in COLUMNS] for row in _rows(case, spent, log, store.state(case.id))]
    return csv_text(rows)


def _rows(
    case: "Case", spent: Sequence["ActiveTime"], log: Sequence[StoredOperation], state: CaseState
) -> Iterator[dict[str, object]]:
    done = acts(log)
    seconds: defaultdict[Key, float] = defaultdict(float)
    for time in spent:
        seconds[time.annotator, time.object or "", time.tool] += time.stop - time.start
    scores = {id: known.score for id, known in state.objects.items() if known.score is not None}
    shown = [scores[known.id] for known in state.present if known.id in scores]
    keys = sorted(seconds.keys() | done.keys())
    for annotator, own in groupby(keys, key=lambda key: key[0]):
        mine = list(own)
        common = {"case": case.name, "status": case.status, "annotator": annotator}
        mean = sum(shown) / len(shown) if shown else None
        yield common | {"scope": "case", "model_score": mean} | _sums(mine, seconds, done)
        for tool in sorted({key[2] for key in mine}):
            chosen = [key for key in mine if key[2] == tool]
            yield common | {"scope": "tool", "tool": tool} | _sums(chosen, seconds, done)
        for object, chosen_keys in groupby(mine, key=lambda key: key[1]):
            known = state.objects.get(object)
            about = {
                "object": object,
                "category": known.category if known else None,
                "model_score": scores.get(object),
            }
            yield common | {"scope": "object"} | about | _sums(list(chosen_keys), seconds, done)


def _sums(keys: Sequence[Key], seconds: Mapping[Key, float], done: Mapping[Key, Acts]) -> dict[str, object]:
    total = sum((done.get(key, Acts()) for key in keys), Acts())
    counts = {"prompts": total.prompts, "strokes": total.strokes, "corrections": total.corrections}
    return counts | {"seconds": sum((seconds.get(key, 0.0) for key in keys), 0.0)}


def _shown(value: object) -> object:
    return f"{value:.3f}" if isinstance(value, float) else value
