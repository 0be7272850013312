"""The id that a workspace's folder and its database share, so that no other workspace's database is opened.

Cases are identified by the names of their images, so with another workspace's database the labels of that one would
appear on this one's images.
"""

from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, delete, insert, select, update

from dentasam.errors import WorkspaceError
from dentasam.files.atomic_write import write_atomically
from dentasam.labelling.log.database.damage import naming
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.database.sqlite_check import GUIDE, check_sqlite
from dentasam.labelling.log.database.tables import cases, workspace
from dentasam.labelling.log.database.transactions import writing
from dentasam.labelling.log.database.url import shown_url
from dentasam.labelling.workspace.workspace import ID_FILE, Workspace


def open_workspace_database(opened: Workspace, url: str | None = None, damaged: list[str] | None = None) -> Engine:
    """Opens the database at `url`, by default the one inside the workspace, and checks that it is the workspace's.

    A new database gets the workspace's id. A workspace without one, for example after its folder was restored
    from a backup, gets that of the database inside it. damaged: as in `open_database`. Raises WorkspaceError for
    another workspace's database, for an empty one where the workspace had one before, and as `open_database` does.
    """
    own = url is None or url == opened.database_url
    url = opened.database_url if url is None else url
    if (opened.root / ID_FILE).exists() and url.startswith("sqlite:///"):
        # Before it is opened for writing, which would make it, and write its journal into it.
        _check_file(opened, Path(url.removeprefix("sqlite:///")), url)
    engine = open_database(url, damaged)
    try:
        with naming(lambda: shown_url(engine.url)):
            _match_ids(opened, engine, own)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _match_ids(opened: Workspace, engine: Engine, own: bool) -> None:
    """Makes sure that the folder and the database have one id.

    The database gets it first, not kept yet, and is marked as kept once the folder has it: so a folder with an id has
    had a database with it, and if there is none now, its labels are gone.
    """
    file = opened.root / ID_FILE
    shown = shown_url(engine.url)
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            # Two workspaces that open an empty database at once must not both get it.
            connection.exec_driver_sql("LOCK TABLE workspace IN SHARE ROW EXCLUSIVE MODE")
        row = connection.execute(select(workspace.c.id, workspace.c.kept)).first()
        is_new = not file.exists()
        has_cases = connection.scalar(select(cases.c.id).limit(1)) is not None
        if row is not None and row.id != opened.id:
            if own and is_new:
                opened.id = str(UUID(row.id))
            elif row.kept or has_cases:
                raise _anothers(opened, shown, row.id)
            else:
                # A first start elsewhere was killed before anything was in it.
                connection.execute(delete(workspace))
                row = None
        if row is None:
            if not is_new and not has_cases:
                raise _emptied(opened, shown, "has no cases")
            connection.execute(insert(workspace).values(id=opened.id, kept=False))
    if is_new:
        try:
            _write(file, opened.id)
        except WorkspaceError:
            with writing(engine) as connection:
                connection.execute(delete(workspace).where(workspace.c.id == opened.id, ~workspace.c.kept))
            raise
    if row is None or not row.kept:
        with writing(engine) as connection:
            connection.execute(update(workspace).values(kept=True))


def _emptied(opened: Workspace, shown: str, what: str) -> WorkspaceError:
    return WorkspaceError(
        f"{shown} {what}, but {opened.root} has had a database before: restore it, name the right --database, or, to "
        f"start without its labels, delete {opened.root / ID_FILE}; {GUIDE}"
    )


def _anothers(opened: Workspace, shown: str, id: str) -> WorkspaceError:
    return WorkspaceError(
        f"{shown} holds the labels of another workspace than {opened.root}; name another --database, "
        f"or, if these labels are to be opened here, write {id} into {opened.root / ID_FILE}"
    )


def _check_file(opened: Workspace, path: Path, url: str) -> None:
    """Raises WorkspaceError where the SQLite file of a workspace with an id has no tables, or another id."""
    found = check_sqlite(path, 0) if path.is_file() else None
    if found is None or found.empty:
        raise _emptied(opened, str(path), "is not there, or empty")
    if found.id is not None and found.id != opened.id:
        raise _anothers(opened, url, found.id)


def _write(file: Path, id: str) -> None:
    try:
        with write_atomically(file, durable=True, private=True) as draft:
            draft.write_text(f"{id}\n", encoding="utf-8")
    except OSError as error:
        raise WorkspaceError(f"{file} cannot be written ({error.strerror}); make room or check its folder") from None
