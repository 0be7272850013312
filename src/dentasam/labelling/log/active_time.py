"""Active time: which seconds of an annotator count, and their rows in the database.

The page measures and leaves idle time out; here each second of an annotator is counted once, however many tabs
report it.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, and_, insert, select, true

from dentasam.labelling.log.database.checksums import is_whole, row_checksum
from dentasam.labelling.log.database.damage import Damage
from dentasam.labelling.log.database.tables import cases, intervals
from dentasam.labelling.log.read import read_rows

# The page reports every 15 s; a report may span twice that, even where the idle cut-off is shorter.
MAX_REPORT_SECONDS = 30.0


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


@dataclass(frozen=True, slots=True)
class ActiveTime:
    """A span of work as it is stored; those of one annotator never overlap. Times are seconds since 1970."""

    case_id: int
    annotator: str
    tool: str
    object: str | None
    start: float
    stop: float


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From `start` to `stop`, seconds since 1970."""

    start: float
    stop: float


def counted_span(interval: Interval, idle_seconds: float) -> Span:
    """The part of an interval that counts: one longer than the idle cut-off holds a pause and ends at the cut-off."""
    start = interval.start / 1000
    return Span(start, start + min(max(interval.seconds, 0.0), max(idle_seconds, MAX_REPORT_SECONDS)))


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


def new_spans(
    intervals: Iterable[Interval], taken: Iterable[Span], idle_seconds: float
) -> list[tuple[Interval, Span]]:
    """What the intervals add to the time that is `taken` already: parts without overlap, the earliest first."""
    known = sorted(taken)
    added: list[tuple[Interval, Span]] = []
    for interval in sorted(intervals, key=lambda interval: interval.start):
        for part in uncovered(counted_span(interval, idle_seconds), known):
            insort(known, part)
            added.append((interval, part))
    return added


def insert_active_time(
    connection: Connection, case_id: int, annotator: str, reported: Sequence[Interval], idle_seconds: float
) -> None:
    """Stores what the reported intervals, at least one, add to the annotator's active time."""
    spans = [counted_span(interval, idle_seconds) for interval in reported]
    earliest, latest = min(span.start for span in spans), max(span.stop for span in spans)
    if connection.dialect.name == "postgresql":
        # Rows that do not exist yet cannot be locked, and two reports at once must not both add them.
        connection.exec_driver_sql("LOCK TABLE intervals IN SHARE ROW EXCLUSIVE MODE")
    overlapping = and_(intervals.c.annotator == annotator, intervals.c.start < latest, intervals.c.stop > earliest)
    known = connection.execute(select(intervals.c.start, intervals.c.stop).where(overlapping))
    taken = [Span(start, stop) for start, stop in known]
    own = {"case_id": case_id, "annotator": annotator}
    added = [
        _row(own | {"tool": interval.tool, "object_id": interval.object, "start": part.start, "stop": part.stop})
        for interval, part in new_spans(reported, taken, idle_seconds)
    ]
    if added:
        connection.execute(insert(intervals), added)


def read_active_times(
    connection: Connection, case_id: int | None = None, damages: list[Damage] | None = None
) -> list[ActiveTime]:
    """The active time of a case, or of all cases, sorted by start. What of it is damaged is added to `damages`."""
    chosen = true() if case_id is None else intervals.c.case_id == case_id
    stored = list(read_rows(connection, intervals, chosen, intervals.c.id))
    found = [
        ActiveTime(row["case_id"], row["annotator"], row["tool"], row["object_id"], row["start"], row["stop"])
        for row in stored
        if is_whole("intervals", row)
    ]
    lost = len(stored) - len(found)
    if lost and damages is not None:
        name = None if case_id is None else connection.scalar(select(cases.c.name).where(cases.c.id == case_id))
        damages.append(Damage(name or "active time", f"{lost} spans of active time are damaged"))
    return sorted(found, key=lambda time: time.start)


def _row(values: dict[str, Any]) -> dict[str, Any]:
    return values | {"checksum": row_checksum("intervals", values)}
