"""The cases of a database: a row of the worklist for each image, with its counts."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from sqlalchemy import ColumnElement, Connection, Select, false, func, insert, select, true, update
from sqlalchemy import case as case_expression
from sqlalchemy.exc import DBAPIError

from dentasam.labelling.log.database.checksums import is_whole, row_checksum
from dentasam.labelling.log.database.damage import Damage, DamagedData, damaged_value, is_damage
from dentasam.labelling.log.database.sqlite_check import GUIDE
from dentasam.labelling.log.database.stored_values import count, seconds, share, text
from dentasam.labelling.log.database.tables import cases, comments, intervals, objects, workspace
from dentasam.labelling.log.database.transactions import batches
from dentasam.labelling.log.operations import Status
from dentasam.labelling.log.read import Row, read_rows
from dentasam.labelling.log.rebuild import damaged_case_line, rebuilt_case, store_rebuilt
from dentasam.labelling.log.rows import utc_now
from dentasam.labelling.workspace.workspace import CaseImage

# What was rebuilt is a notice of the command, like what was assumed about an image.
log = logging.getLogger("dentasam.data.notices")
_STATUSES: Final = get_args(Status)


class CaseNotFound(LookupError):
    """No case has this id."""

    def __init__(self, case_id: int) -> None:
        super().__init__(f"no case has the id {case_id}")


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the worklist.

    objects: those not deleted, without the untouched proposals, which `proposed` counts. uncertainty: 0 to 1.
    updated: ISO 8601 in UTC. Both are None where they are not known. charted: which picture and model the proposals
    are from that were added last. damaged: its row in the database is not as it was written, so that it cannot be
    used; what in it is of no use at all is 0, 8 bits or new here.
    """

    id: int
    name: str
    width: int
    height: int
    bits: int
    status: Status
    revision: int
    uncertainty: float | None
    updated: str | None
    objects: int
    proposed: int
    comments: int
    active_seconds: float
    charted: str | None = None
    damaged: bool = False


def read_cases(connection: Connection) -> list[Case]:
    """All cases whose image is present, sorted by name, in one statement however many there are.

    Where a table with their counts is damaged, they are read one by one, with 0 for what cannot be counted.
    """
    try:
        found = [_case(cast(Row, row)) for row in connection.execute(_worklist_query()).mappings()]
    except (ValueError, DBAPIError) as error:
        if not damaged_value(error):
            raise
        present = list(read_rows(connection, cases, _present(), cases.c.id))
        found = [_case_alone(connection, row) for row in present if "name" in row]
    return sorted(found, key=lambda case: _natural_key(case.name))


def read_case(connection: Connection, case_id: int) -> Case:
    """One case whose image is present. Raises CaseNotFound."""
    row = connection.execute(_worklist_query().where(cases.c.id == case_id)).mappings().first()
    if row is None:
        raise CaseNotFound(case_id)
    return _case(cast(Row, row))


def case_row(connection: Connection, case_id: int, lock: bool = False) -> Row:
    """The row of the table `cases`, also of a case whose image is missing. Raises CaseNotFound and DamagedData.

    lock: no other transaction can lock the row until this one ends. SQLite ignores it: there a writing transaction
    is alone from its start.
    """
    query = select(cases).where(cases.c.id == case_id)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise CaseNotFound(case_id)
    row = cast(Row, found)
    if not is_whole("cases", row):
        raise DamagedData([Damage(row["name"], "its row in the database is damaged")])
    return row


def change_case_row(connection: Connection, row: Row, changed: dict[str, Any]) -> None:
    """Changes columns of a case and its checksum. The row must be locked since it was read."""
    values = changed | {"checksum": row_checksum("cases", dict(row) | changed)}
    connection.execute(update(cases).where(cases.c.id == row["id"]).values(values))


def sync_cases(connection: Connection, images: Sequence[CaseImage]) -> list[str]:
    """Adds a case for each new image, and hides the cases whose image is missing; their labels are kept.

    Returns a line for each image that is left out because it does not have the size at which it was labelled.
    """
    problems: list[str] = []
    if connection.dialect.name == "postgresql":
        # Two servers that start at once would both add the same cases.
        connection.exec_driver_sql("LOCK TABLE cases IN SHARE ROW EXCLUSIVE MODE")
    stored = list(read_rows(connection, cases, true(), cases.c.id))
    recorded = count(connection.scalar(select(workspace.c.case_rows)))
    lost = max(0, (recorded or 0) - len(stored))
    if lost:
        problems.append(f"{lost} cases are missing from the database, and no new ones are added; {GUIDE}")
    known = {row["name"]: row for row in _rebuilt(connection, stored, images, problems)}
    _store_presence(connection, known, {image.name for image in images})
    present: set[str] = set()
    added = 0
    for image in images:
        row = known.get(image.name)
        size = {"width": image.width, "height": image.height, "bits": image.bits}
        if row is None:
            if lost:
                problems.append(no_case_line(image.name))
            else:
                initial = {"status": "new", "revision": 0, "present": True, "updated": utc_now()}
                _insert(connection, {"name": image.name, **size, **initial})
                added += 1
        elif not is_whole("cases", row):
            if row["present"] is False:
                connection.execute(update(cases).where(cases.c.id == row["id"]).values(present=True))
        elif row["revision"] and (row["width"], row["height"]) != (image.width, image.height):
            problems.append(
                f"{image.name} is left out: it has {image.width}x{image.height} pixels, but was labelled at "
                f"{row['width']}x{row['height']}; put the old file back or rename the new one"
            )
            continue
        elif not row["present"] or any(row[key] != value for key, value in size.items()):
            change_case_row(connection, row, {"present": True, **size})
        present.add(image.name)
    if not lost and recorded != len(stored) + added:
        connection.execute(update(workspace).values(case_rows=len(stored) + added))
    missing = [row["id"] for name, row in known.items() if row["present"] and name not in present]
    for batch in batches(missing):
        connection.execute(update(cases).where(cases.c.id.in_(batch)).values(present=False))
    return problems


def no_case_line(name: str) -> str:
    """The line on an image that gets no case, since the database may have lost the one that it had."""
    return f"{name} has no case in the database; {GUIDE}"


def _rebuilt(
    connection: Connection, stored: Sequence[Row], images: Sequence[CaseImage], problems: list[str]
) -> list[Row]:
    """The rows of all cases, damaged ones rebuilt where that is possible; adds a line for each other one."""
    damaged = [row for row in stored if not is_whole("cases", row)]
    if not damaged:
        return list(stored)
    by_name = {image.name: image for image in images}
    rebuilt: dict[int, Row] = {}
    taken = frozenset(row["name"] for row in stored if row not in damaged)
    for row in damaged:
        found = rebuilt_case(connection, row, by_name, taken)
        if found is None:
            problems.append(damaged_case_line(row))
            rebuilt[row["id"]] = row
        else:
            log.warning("%s", store_rebuilt(connection, row, found))
            rebuilt[row["id"]] = found
    return [row for row in (rebuilt.get(row["id"], row) for row in stored) if "name" in row]


def _store_presence(connection: Connection, known: dict[str, Row], names: set[str]) -> None:
    """Stores again whether the images of cases are there where that is damaged; the rows are replaced in `known`."""
    for name, row in known.items():
        if not isinstance(row.get("present"), bool):
            present = name in names
            connection.execute(update(cases).where(cases.c.id == row["id"]).values(present=present))
            known[name] = {**row, "present": present}
            log.warning("%s: whether its image is there was damaged and was stored again", name)


def _insert(connection: Connection, values: dict[str, Any]) -> None:
    values = {"object_rows": 0, "comment_rows": 0, **values}
    key = connection.execute(insert(cases).values(values)).inserted_primary_key
    assert key is not None
    sealed = row_checksum("cases", {"missing": None, **values, "id": key[0]})
    connection.execute(update(cases).where(cases.c.id == key[0]).values(checksum=sealed))


def _worklist_query() -> Select[Any]:
    counts = [
        func.sum(case_expression((objects.c.proposed == proposed, 1), else_=0)).label(name)
        for name, proposed in (("objects", False), ("proposed", True))
    ]
    present = select(objects.c.case_id, *counts).where(~objects.c.deleted).group_by(objects.c.case_id).subquery()
    comment_count = func.count().label("comments")
    written = select(comments.c.case_id, comment_count).group_by(comments.c.case_id).subquery()
    spans = func.sum(intervals.c.stop - intervals.c.start).label("active_seconds")
    worked = select(intervals.c.case_id, spans).group_by(intervals.c.case_id).subquery()
    return (
        select(cases, present.c.objects, present.c.proposed, written.c.comments, worked.c.active_seconds)
        .outerjoin(present, present.c.case_id == cases.c.id)
        .outerjoin(written, written.c.case_id == cases.c.id)
        .outerjoin(worked, worked.c.case_id == cases.c.id)
        .where(_present())
    )


def _present() -> ColumnElement[bool]:
    """Whether the image is there; also true where that is damaged, so that no case is hidden by it."""
    return cases.c.present.is_not(false())


def _case(row: Row) -> Case:
    return Case(
        id=row["id"],
        name=text(row["name"]) or f"case {row['id']}",
        width=count(row["width"]) or 0,
        height=count(row["height"]) or 0,
        bits=row["bits"] if row["bits"] in (8, 16) else 8,
        status=row["status"] if row["status"] in _STATUSES else "new",
        revision=count(row["revision"]) or 0,
        uncertainty=share(row["uncertainty"]),
        updated=text(row["updated"]),
        objects=count(row["objects"]) or 0,
        proposed=count(row["proposed"]) or 0,
        comments=count(row["comments"]) or 0,
        active_seconds=seconds(row["active_seconds"]),
        charted=text(row["charted"]),
        damaged=not is_whole("cases", row),
    )


def _case_alone(connection: Connection, row: Row) -> Case:
    try:
        counted = connection.execute(_worklist_query().where(cases.c.id == row["id"])).mappings().first()
    except (ValueError, DBAPIError) as error:
        if not is_damage(error):
            raise
        counted = None
    return _case(
        cast(Row, counted)
        if counted
        else {**row, **dict.fromkeys(("objects", "proposed", "comments", "active_seconds"))}
    )


def _natural_key(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts `2.png` before `10.png`."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in [*parts, name]]
