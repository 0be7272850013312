"""Which workspace a database belongs to: an id that the workspace's folder and its database both keep.

Cases go by their image's name, so a database under another workspace would take that one's work for its own.
"""

from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, insert, select

from dentasam.atomic_write import write_atomically
from dentasam.errors import WorkspaceError
from dentasam.labelling.log.database import open_database, workspace, writing
from dentasam.labelling.workspace.workspace import ID_FILE, Workspace


def open_workspace_database(opened: Workspace, url: str | None = None) -> Engine:
    """The database at `url`, the workspace's own one if left out, once it is sure that it is this workspace's.

    A database without an id takes the workspace's. A workspace without one, as after its folder was restored from a
    backup, takes that of the database inside it. Raises WorkspaceError for another workspace's database, and as
    `open_database`.
    """
    own = url is None or url == opened.database_url
    engine = open_database(opened.database_url if url is None else url)
    try:
        _settle(opened, engine, own)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _settle(opened: Workspace, engine: Engine, own: bool) -> None:
    file = opened.root / ID_FILE
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            # Two workspaces that open an empty database at once must not both have it.
            connection.exec_driver_sql("LOCK TABLE workspace IN SHARE ROW EXCLUSIVE MODE")
        kept = connection.scalar(select(workspace.c.id))
        fresh = not file.exists()
        if kept is not None and kept != opened.id:
            if not (own and fresh):
                shown = engine.url.render_as_string(hide_password=True)
                raise WorkspaceError(
                    f"{shown} holds the labels of another workspace than {opened.root}; name another --database, "
                    f"or, if these labels are to be opened here, write {kept} into {file}"
                )
            opened.id = str(UUID(kept))
        # Before the database is written: an id that only the folder has is taken by the database the next time.
        if fresh:
            _write(file, opened.id)
        if kept is None:
            connection.execute(insert(workspace).values(id=opened.id))


def _write(file: Path, id: str) -> None:
    try:
        with write_atomically(file, durable=True, private=True) as draft:
            draft.write_text(f"{id}\n", encoding="utf-8")
    except OSError as fault:
        raise WorkspaceError(f"{file} cannot be written ({fault.strerror}); make room or check its folder") from None
