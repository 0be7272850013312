"""A database belongs to one workspace, and is refused under another."""

import shutil
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from dentasam.errors import WorkspaceError
from dentasam.labelling.exchange.offline import Place, open_workspace
from dentasam.labelling.log.database.opening import open_database
from dentasam.labelling.log.database.workspace_id import open_workspace_database
from dentasam.labelling.log.store import Store
from dentasam.labelling.workspace.workspace import Workspace

from ...conftest import case_image, downgrade
from ...postgresql import PostgreSQL


def kept_in(url: str) -> list[str]:
    engine = open_database(url)
    with engine.connect() as connection:
        found = list(connection.exec_driver_sql("SELECT id FROM workspace").scalars())
    engine.dispose()
    return found


def open_and_close(folder: Path, root: Path, url: str | None = None) -> str:
    with Workspace.open(folder, root) as workspace:
        open_workspace_database(workspace, url).dispose()
        return workspace.id


def test_a_new_workspace_and_its_database_have_one_id_from_then_on(
    radiographs: Path, tmp_path: Path, database_url: str
) -> None:
    root = tmp_path / "work"
    id = open_and_close(radiographs, root, database_url)
    assert UUID(id)
    assert (root / "id").read_text() == f"{id}\n"
    assert kept_in(database_url) == [id]
    root.rename(tmp_path / "moved")
    assert open_and_close(radiographs, tmp_path / "moved", database_url) == id
    assert kept_in(database_url) == [id]


def test_another_workspaces_database_is_refused_untouched(
    radiographs: Path, tmp_path: Path, database_url: str
) -> None:
    with open_workspace(Place(radiographs, tmp_path / "first", database_url)) as (first, store, _):
        before = store.cases()
    (tmp_path / "others").mkdir()
    shutil.copy(radiographs / "a.png", tmp_path / "others" / "z.png")
    for _ in range(2):
        with (
            pytest.raises(WorkspaceError) as caught,
            open_workspace(Place(tmp_path / "others", tmp_path / "second", database_url)),
        ):
            pass
        (line,) = str(caught.value).splitlines()
        assert database_url.rsplit("/", 1)[-1] in line
        assert f"holds the labels of another workspace than {tmp_path / 'second'}; name another --database" in line
        assert f"write {first.id} into {tmp_path / 'second' / 'id'}" in line
    with open_workspace(Place(radiographs, tmp_path / "first", database_url)) as (_, store, _):
        assert store.cases() == before
    # The fix that the error names.
    (tmp_path / "second" / "id").write_text(first.id)
    assert open_and_close(tmp_path / "others", tmp_path / "second", database_url) == first.id


def test_a_password_is_not_shown(radiographs: Path, postgresql: PostgreSQL) -> None:
    database_url = postgresql.database()
    open_and_close(radiographs, radiographs.parent / "first", database_url)
    secret = database_url.replace("dentasam@", "dentasam:secret@")
    with pytest.raises(WorkspaceError, match="holds the labels of another workspace") as caught:
        open_and_close(radiographs, radiographs.parent / "second", secret)
    assert "secret" not in str(caught.value)


def test_a_database_without_an_id_takes_the_workspaces(radiographs: Path, tmp_path: Path, database_url: str) -> None:
    """As one that was written before there were ids."""
    engine = open_database(database_url)
    Store(engine).sync_cases([case_image("a.png")])
    downgrade(engine, "0001")
    engine.dispose()
    (tmp_path / "work").mkdir()
    id = str(uuid4())
    (tmp_path / "work" / "id").write_text(id)
    assert open_and_close(radiographs, tmp_path / "work", database_url) == id
    assert kept_in(database_url) == [id]


def test_a_workspace_restored_from_its_database_alone_takes_its_id(radiographs: Path) -> None:
    root = radiographs / ".dentasam"
    id = open_and_close(radiographs, root)
    (root / "id").unlink()
    # As adding an annotator does, which needs no database.
    Workspace.open(radiographs).close()
    assert open_and_close(radiographs, root) == id
    assert (root / "id").read_text() == f"{id}\n"


def test_a_file_that_holds_no_id(radiographs: Path) -> None:
    with Workspace.open(radiographs) as workspace:
        file = workspace.root / "id"
    file.write_text("none")
    with pytest.raises(WorkspaceError, match=r"id does not hold the id of a workspace; delete it and start again"):
        Workspace.open(radiographs)
    file.unlink()
    Workspace.open(radiographs).close()


def test_an_id_that_cannot_be_kept_leaves_the_database_as_it_is(
    radiographs: Path, tmp_path: Path, database_url: str
) -> None:
    with Workspace.open(radiographs, tmp_path / "work") as workspace:
        shutil.rmtree(tmp_path / "work")
        with pytest.raises(WorkspaceError, match=r"id cannot be written"):
            open_workspace_database(workspace, database_url)
    assert kept_in(database_url) == []
