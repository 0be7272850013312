"""The cases of a database: a row of the worklist for each image, with its counts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, insert, select, update
from sqlalchemy import case as case_expression

from dentasam.labelling.log.database import batches, cases, comments, intervals, objects
from dentasam.labelling.log.operations import Status
from dentasam.labelling.log.rows import utc_now
from dentasam.labelling.workspace.workspace import CaseImage


class CaseNotFound(LookupError):
    """No case has this id."""

    def __init__(self, case_id: int) -> None:
        super().__init__(f"no case has the id {case_id}")


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the worklist.

    objects: those not deleted, without the untouched proposals, which `proposed` counts. updated: ISO 8601 in UTC.
    charted: which picture and model the proposals are from that were added last.
    """

    id: int
    name: str
    width: int
    height: int
    bits: int
    status: Status
    revision: int
    uncertainty: float | None
    updated: str
    objects: int
    proposed: int
    comments: int
    active_seconds: float
    charted: str | None = None


def read_cases(connection: Connection) -> list[Case]:
    """All cases whose image is present, sorted by name, in one statement however many there are."""
    found = [_case(row) for row in connection.execute(_worklist_query()).mappings()]
    return sorted(found, key=lambda case: _natural_key(case.name))


def read_case(connection: Connection, case_id: int) -> Case:
    """One case whose image is present. Raises CaseNotFound."""
    row = connection.execute(_worklist_query().where(cases.c.id == case_id)).mappings().first()
    if row is None:
        raise CaseNotFound(case_id)
    return _case(row)


def case_row(connection: Connection, case_id: int, lock: bool = False) -> RowMapping:
    """The row of the table `cases`, also of a case whose image is missing. Raises CaseNotFound.

    lock: no other transaction can lock the row until this one ends. SQLite ignores it: there a writing transaction
    is alone from its start.
    """
    query = select(cases).where(cases.c.id == case_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise CaseNotFound(case_id)
    return row


def sync_cases(connection: Connection, images: Sequence[CaseImage]) -> list[str]:
    """Adds a case for each new image, and hides the cases whose image is missing; their labels are kept.

    Returns a line for each image that is left out because it does not have the size at which it was labelled.
    """
    problems: list[str] = []
    if connection.dialect.name == "postgresql":
        # Two servers that start at once would both add the same cases.
        connection.exec_driver_sql("LOCK TABLE cases IN SHARE ROW EXCLUSIVE MODE")
    known = {row["name"]: row for row in connection.execute(select(cases)).mappings()}
    present: set[str] = set()
    for image in images:
        row = known.get(image.name)
        size = {"width": image.width, "height": image.height, "bits": image.bits}
        if row is None:
            initial = {"status": "new", "revision": 0, "present": True, "updated": utc_now()}
            connection.execute(insert(cases).values(name=image.name, **size, **initial))
        elif row["revision"] and (row["width"], row["height"]) != (image.width, image.height):
            problems.append(
                f"{image.name} is left out: it has {image.width}x{image.height} pixels, but was labelled at "
                f"{row['width']}x{row['height']}; put the old file back or rename the new one"
            )
            continue
        elif not row["present"] or any(row[key] != value for key, value in size.items()):
            connection.execute(update(cases).where(cases.c.id == row["id"]).values(present=True, **size))
        present.add(image.name)
    missing = [row["id"] for name, row in known.items() if row["present"] and name not in present]
    for batch in batches(missing):
        connection.execute(update(cases).where(cases.c.id.in_(batch)).values(present=False))
    return problems


def _worklist_query() -> Select[Any]:
    counts = [
        func.sum(case_expression((objects.c.proposed == proposed, 1), else_=0)).label(name)
        for name, proposed in (("objects", False), ("proposed", True))
    ]
    present = select(objects.c.case_id, *counts).where(~objects.c.deleted).group_by(objects.c.case_id).subquery()
    comment_count = func.count().label("comments")
    written = select(comments.c.case_id, comment_count).group_by(comments.c.case_id).subquery()
    seconds = func.sum(intervals.c.stop - intervals.c.start).label("active_seconds")
    worked = select(intervals.c.case_id, seconds).group_by(intervals.c.case_id).subquery()
    return (
        select(cases, present.c.objects, present.c.proposed, written.c.comments, worked.c.active_seconds)
        .outerjoin(present, present.c.case_id == cases.c.id)
        .outerjoin(written, written.c.case_id == cases.c.id)
        .outerjoin(worked, worked.c.case_id == cases.c.id)
        .where(cases.c.present)
    )


def _case(row: RowMapping) -> Case:
    return Case(
        id=row["id"],
        name=row["name"],
        width=row["width"],
        height=row["height"],
        bits=row["bits"],
        status=row["status"],
        revision=row["revision"],
        uncertainty=row["uncertainty"],
        updated=row["updated"],
        objects=row["objects"] or 0,
        proposed=row["proposed"] or 0,
        comments=row["comments"] or 0,
        active_seconds=float(row["active_seconds"] or 0.0),
        charted=row["charted"],
    )


def _natural_key(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts `2.png` before `10.png`."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in [*parts, name]]
