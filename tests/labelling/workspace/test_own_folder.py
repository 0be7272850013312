"""A folder from a stranger, with links in its workspace: nothing that they lead to is written, emptied or deleted."""

import os
import re
import socket
from pathlib import Path

import pytest
from PIL import Image

from dentasam.errors import WorkspaceError
from dentasam.files.atomic_write import draft_of
from dentasam.labelling.auth.passwords import Annotators
from dentasam.labelling.exchange.offline import open_workspace
from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
from dentasam.labelling.workspace.workspace import Workspace

FILES = (
    *("lock", "id", "labels.sqlite3", "labels.sqlite3-wal", "labels.sqlite3-shm", "labels.sqlite3-journal"),
    *("schema.yaml", "settings.yaml", "entrance.json", "sessions.json", "annotators.yaml", "labels.json", "anything"),
    *("embeddings/ab/x.safetensors", "embeddings/.x.1.2.part"),
)
FOLDERS = ("embeddings", "embeddings/ab", "arriving", "other")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    (tmp_path / "scans").mkdir()
    Image.new("L", (8, 6)).save(tmp_path / "scans" / "a.png")
    return tmp_path / "scans"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of the user's with files that look like those of a killed server."""
    folder = tmp_path / "mine"
    (folder / "ab").mkdir(parents=True)
    for name in ("thesis.txt", ".x.1.2.part", ".x.tmp", "ab/.y.1.2.part", "ab/y.safetensors"):
        (folder / name).write_text("precious")
    for name in ("x", "ab/y"):
        with draft_of(folder / name) as draft:
            pass
        draft.write_text("precious")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", FILES)
def test_a_linked_file_is_refused_by_name(scans: Path, victim: Path, name: str) -> None:
    before = contents(victim)
    link = scans / ".dentasam" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(victim / "thesis.txt")
    with pytest.raises(WorkspaceError) as raised:
        Workspace.open(scans)
    assert str(raised.value).startswith(f"{link} is a link to {victim / 'thesis.txt'}, and a workspace holds none;")
    assert "\n" not in str(raised.value)
    assert contents(victim) == before
    # One that leads nowhere would have its target made.
    link.unlink()
    link.symlink_to(victim / "new")
    with pytest.raises(WorkspaceError, match="is a link to"):
        Workspace.open(scans)
    assert contents(victim) == before


@pytest.mark.parametrize("name", FOLDERS)
def test_a_linked_folder_is_refused_by_name(scans: Path, victim: Path, name: str) -> None:
    before = contents(victim)
    link = scans / ".dentasam" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    with pytest.raises(WorkspaceError, match="is a link to .*; delete it"):
        Workspace.open(scans)
    assert contents(victim) == before


def test_a_workspace_that_is_a_link_is_refused_unless_it_was_named(scans: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (scans / ".dentasam").symlink_to(elsewhere)
    with pytest.raises(WorkspaceError, match="name the folder that it leads to with --workspace"):
        Workspace.open(scans)
    assert list(elsewhere.iterdir()) == []
    with Workspace.open(scans, scans / ".dentasam") as workspace:
        assert [image.name for image in workspace.images] == ["a.png"]
    assert (elsewhere / "lock").is_file()


def test_a_folder_that_is_reached_by_a_link_is_opened(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(scans)
    with open_workspace(tmp_path / "linked") as (workspace, store, problems):
        assert problems == []
        assert [case.name for case in store.cases()] == ["a.png"]
        assert workspace.folder == tmp_path / "linked"


def test_pipes_and_sockets_in_a_workspace_are_refused(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = scans / ".dentasam"
    root.mkdir()
    monkeypatch.chdir(root)
    for name in ("lock", "schema.yaml", "annotators.yaml", "labels.sqlite3"):
        os.mkfifo(root / name)
        with pytest.raises(WorkspaceError, match=f"{name} is a pipe, a socket or a device; delete it"):
            Workspace.open(scans)
        (root / name).unlink()
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(name)
            with pytest.raises(WorkspaceError, match=f"{name} is a pipe"):
                Workspace.open(scans)
        (root / name).unlink()


@pytest.mark.parametrize("name", ["labels.sqlite3", "labels.sqlite3-wal"])
def test_a_folder_in_the_place_of_the_database_is_refused(scans: Path, name: str) -> None:
    (scans / ".dentasam" / name).mkdir(parents=True)
    with pytest.raises(WorkspaceError, match=rf"{name} is a folder, .* move the folder away"):
        Workspace.open(scans)


def test_a_lock_with_another_name_leaves_that_file_alone(scans: Path, victim: Path) -> None:
    root = scans / ".dentasam"
    root.mkdir()
    for content in ("precious", "http://127.0.0.1:8765/\n", ""):
        (victim / "thesis.txt").write_text(content)
        os.link(victim / "thesis.txt", root / "lock")
        with Workspace.open(scans) as workspace:
            workspace.serve_at("http://127.0.0.1:1/")
            assert (root / "lock").read_text() == "http://127.0.0.1:1/\n"
            with pytest.raises(WorkspaceError, match="in use by the dentasam label at http://127.0.0.1:1/"):
                Workspace.open(scans)
        assert (victim / "thesis.txt").read_text() == content
        (root / "lock").unlink()


def test_two_names_of_a_held_lock_are_one_lock(scans: Path, tmp_path: Path) -> None:
    with Workspace.open(scans):
        os.link(scans / ".dentasam" / "lock", tmp_path / "copy")
        with pytest.raises(WorkspaceError, match="is in use"):
            Workspace.open(scans)


def test_a_file_that_is_no_lock_is_not_emptied(scans: Path) -> None:
    root = scans / "notes"
    root.mkdir()
    (root / "lock").write_text("of another program")
    with pytest.raises(WorkspaceError, match="is not the lock of a workspace, and nothing was written into it"):
        Workspace.open(scans, root)
    assert (root / "lock").read_text() == "of another program"
    # Nor is one refused that a killed server has left.
    for left in ("http://127.0.0.1:8765/\n", "http://127.0.0.1:87", "http", ""):
        (root / "lock").write_text(left)
        Workspace.open(scans, root).close()


def test_a_database_with_another_name_is_refused(scans: Path, victim: Path) -> None:
    with open_workspace(scans):
        pass
    os.link(scans / ".dentasam" / "labels.sqlite3", victim / "backup.sqlite3")
    with pytest.raises(WorkspaceError, match=r"labels\.sqlite3 has another name, .*; put a copy in its place: cp "):
        Workspace.open(scans)


def test_the_store_of_embeddings_tidies_its_own_files_alone(tmp_path: Path, victim: Path) -> None:
    before = contents(victim)
    (tmp_path / "linked").symlink_to(victim)
    with pytest.raises(WorkspaceError, match="is a link"):
        EmbeddingStore(tmp_path / "linked")
    store = tmp_path / "embeddings"
    (store / "cd").mkdir(parents=True)
    (store / "ab").symlink_to(victim / "ab")
    (store / ".z.1.2.part").symlink_to(victim / "thesis.txt")
    with draft_of(store / "cd" / "x") as draft:
        pass
    draft.write_text("half")
    EmbeddingStore(store)
    assert contents(victim) == before
    assert not list((store / "cd").iterdir())


def test_drafts_that_a_killed_server_left_are_removed(scans: Path) -> None:
    root = scans / ".dentasam"
    root.mkdir()
    with draft_of(root / "id") as draft:
        pass
    draft.write_text("half")
    (root / "mine.part").write_text("kept")
    with Workspace.open(scans):
        assert not draft.exists()
        assert (root / "mine.part").exists()


@pytest.mark.parametrize("name", ["id", "lock", "schema.yaml", "settings.yaml", "annotators.yaml"])
def test_a_file_of_any_size_is_named_and_not_read(scans: Path, name: str) -> None:
    with Workspace.open(scans) as workspace:
        root = workspace.root
    (root / name).touch()
    os.truncate(root / name, 8 << 30)
    named = pytest.raises(WorkspaceError, match=rf"{re.escape(str(root / name))} .*(delete it|remove it)")
    with named, Workspace.open(scans) as workspace:
        Annotators.of(workspace.root)
    assert (root / name).stat().st_size == 8 << 30
