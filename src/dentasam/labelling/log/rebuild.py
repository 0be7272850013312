"""Rebuilds what is damaged of a case from its log: objects' rows, and the case's own row.

The log alone is the work; the rest follows from it. What is rebuilt is stored, and a line says so.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from dentasam.labelling.log import rows
from dentasam.labelling.log.database.checksums import is_whole
from dentasam.labelling.log.database.sqlite_check import GUIDE
from dentasam.labelling.log.database.tables import cases, comments, objects
from dentasam.labelling.log.fold import CaseState, fold
from dentasam.labelling.log.operations import OperationError
from dentasam.labelling.log.read import CheckedLog, Row, case_row_of, read_log, read_rows
from dentasam.labelling.workspace.workspace import CaseImage


def rebuild_case(connection: Connection, case_id: int) -> list[str]:
    """Stores again what is damaged of a case and follows from its log; returns a line for each thing."""
    row = case_row_of(connection, case_id)
    if row is None or "name" not in row:
        return []
    lines: list[str] = []
    if not is_whole("cases", row):
        rebuilt = rebuilt_case(connection, row, {}, frozenset())
        if rebuilt is None:
            return []
        lines.append(store_rebuilt(connection, row, rebuilt))
        row = rebuilt
    log = read_log(connection, row)
    if log.objects is None:
        return lines
    wanted = _folded(log).objects
    stored = {str(each["id"]): each for each in read_rows(connection, objects, _of(case_id), objects.c.id)}
    for id, state in wanted.items():
        if id in stored and is_whole("objects", stored[id]):
            continue
        values = rows.object_row(case_id, state)
        if id in stored:
            connection.execute(update(objects).where(_of(case_id), objects.c.id == id).values(values))
        else:
            connection.execute(insert(objects).values(values))
        label = f"{state.category} " if state.category else ""
        lines.append(f"{row['name']}: object {label}({id}) was damaged and was rebuilt from the log")
    return lines


def rebuilt_case(
    connection: Connection, row: Row, images: Mapping[str, CaseImage], taken: frozenset[str]
) -> dict[str, Any] | None:
    """A damaged row of `cases` as it was, or None where that cannot be known for sure.

    What the log, the other tables and the images say is tried in its columns until its checksum fits. images: those
    of the workspace by name, as far as they are known. taken: the names of other cases.
    """
    if not all(column.name in row for column in cases.c):
        return None
    # The row's revision may be what is damaged, so it does not say here where the log ends.
    log = read_log(connection, {**row, "revision": 0})
    state = None if log.damages else _folded(log)
    for candidate in _candidates(connection, dict(row), state, images, taken):
        if is_whole("cases", candidate):
            return candidate
    image = images.get(row["name"])
    if state is None or image is None:
        return None
    # The checksum itself is damaged, if everything else is as the log and the image say.
    follows = {**_from_log(connection, row["id"], state), "width": image.width, "height": image.height}
    if all(row[key] == value for key, value in follows.items()):
        return rows.sealed("cases", dict(row))
    return None


def store_rebuilt(connection: Connection, row: Row, rebuilt: dict[str, Any]) -> str:
    """Stores a rebuilt row in the place of the damaged one; returns the line that says so."""
    # Whether the image is there is not known here, and what is damaged of it cannot be stored.
    kept = {"id"} if isinstance(rebuilt["present"], bool) else {"id", "present"}
    changed = {key: value for key, value in rebuilt.items() if key not in kept}
    connection.execute(update(cases).where(cases.c.id == row["id"]).values(changed))
    return f"{rebuilt['name']}: its row in the database was damaged and was rebuilt from the log"


def damaged_case_line(row: Row) -> str:
    """The line about a row of `cases` that cannot be rebuilt."""
    return f"{row.get('name', 'case ' + str(row['id']))}: its row in the database is damaged; {GUIDE}"


def _candidates(
    connection: Connection,
    row: dict[str, Any],
    state: CaseState | None,
    images: Mapping[str, CaseImage],
    taken: frozenset[str],
) -> Iterator[dict[str, Any]]:
    logged = row if state is None else row | _from_log(connection, row["id"], state)
    yield logged
    image = images.get(row["name"])
    if image is not None:
        yield logged | {"width": image.width, "height": image.height, "bits": image.bits}
    for name in images.keys() - taken:
        yield logged | {"name": name}


def _from_log(connection: Connection, case_id: int, state: CaseState) -> dict[str, Any]:
    count = select(func.count()).select_from(comments).where(comments.c.case_id == case_id)
    return {
        "status": state.status,
        "revision": state.revision,
        "missing": list(state.missing) or None,
        "object_rows": len(state.objects),
        "comment_rows": connection.scalar(count),
    }


def _folded(log: CheckedLog) -> CaseState:
    """What the undamaged operations add up to; an object whose operations make no sense is left out."""
    state = CaseState()
    for stored in log.undamaged:
        try:
            state = fold(state, stored)
        except OperationError:
            object = stored.operation.object
            state = CaseState(
                stored.revision,
                state.status,
                {id: known for id, known in state.objects.items() if id != object},
                state.missing,
            )
    return state


def _of(case_id: int) -> Any:
    return and_(objects.c.case_id == case_id)
