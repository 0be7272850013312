"""The id that a workspace's folder and its database share, so that no other workspace's database is opened.

Cases are identified by the names of their images, so with another workspace's database the labels of that one would
appear on this one's images.
"""

from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, insert, select

from dentasam.atomic_write import write_atomically
from dentasam.errors import WorkspaceError
from dentasam.labelling.log.database import open_database, workspace, writing
from dentasam.labelling.log.database_url import shown_url
from dentasam.labelling.workspace.workspace import ID_FILE, Workspace


def open_workspace_database(opened: Workspace, url: str | None = None) -> Engine:
    """Opens the database at `url`, by default the one inside the workspace, and checks that it is the workspace's.

    A database without an id gets the workspace's. A workspace without one, for example after its folder was restored
    from a backup, gets that of the database inside it. Raises WorkspaceError for another workspace's database, and as
    `open_database` does.
    """
    own = url is None or url == opened.database_url
    engine = open_database(opened.database_url if url is None else url)
    try:
        _match_ids(opened, engine, own)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _match_ids(opened: Workspace, engine: Engine, own: bool) -> None:
    file = opened.root / ID_FILE
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            # Two workspaces that open an empty database at once must not both get it.
            connection.exec_driver_sql("LOCK TABLE workspace IN SHARE ROW EXCLUSIVE MODE")
        stored = connection.scalar(select(workspace.c.id))
        is_new = not file.exists()
        if stored is not None and stored != opened.id:
            if not (own and is_new):
                shown = shown_url(engine.url)
                raise WorkspaceError(
                    f"{shown} holds the labels of another workspace than {opened.root}; name another --database, "
                    f"or, if these labels are to be opened here, write {stored} into {file}"
                )
            opened.id = str(UUID(stored))
        # The file first: if the database is then not written, it gets the id from the file the next time.
        if is_new:
            _write(file, opened.id)
        if stored is None:
            connection.execute(insert(workspace).values(id=opened.id))


def _write(file: Path, id: str) -> None:
    try:
        with write_atomically(file, durable=True, private=True) as draft:
            draft.write_text(f"{id}\n", encoding="utf-8")
    except OSError as error:
        raise WorkspaceError(f"{file} cannot be written ({error.strerror}); make room or check its folder") from None
