"""A file is replaced as a whole or not at all, and a private one is never readable by others."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dentasam.files import atomic_write
from dentasam.files.atomic_write import draft_of, remove_stale_drafts, write_atomically


def test_replaces_the_file_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("old")
    with write_atomically(path, durable=True) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
        assert draft.parent == tmp_path
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["kept.json"]


def test_keeps_the_old_file_after_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("old")

    def failing() -> None:
        with write_atomically(path) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["kept.json"]


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127, "n" * 201])
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path, name: str) -> None:
    with write_atomically(tmp_path / name) as draft:
        draft.write_text("new")
    assert (tmp_path / name).read_text() == "new"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.skipif(os.name == "nt", reason="access rights of POSIX")
def test_a_private_file_is_its_owners_from_the_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    with write_atomically(path, private=True) as draft:
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
        draft.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="symbolic links of POSIX")
def test_never_writes_through_a_link_in_the_place_of_the_draft(tmp_path: Path) -> None:
    path, victim = tmp_path / "kept", tmp_path / "victim"
    victim.write_text("untouched")
    with write_atomically(path) as draft:
        place = draft
        draft.write_text("first")
    place.symlink_to(victim)
    with write_atomically(path, private=True) as draft:
        assert draft == place
        draft.write_text("new")
    assert victim.read_text() == "untouched"
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text("old")
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from dentasam.files.atomic_write import write_atomically\n"
        "with write_atomically(Path(sys.argv[1])) as draft:\n"
        "    draft.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


KILLED = """
import os, signal, sys
from pathlib import Path
from dentasam.files import atomic_write
from dentasam.files.atomic_write import draft_of, remove_stale_drafts, write_atomically
with write_atomically(Path(sys.argv[1])) as draft:
    draft.write_text("half")
    if sys.argv[2:]:
        print("writing", flush=True)
        sys.stdin.read()
    else:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_write_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "labels.json")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    (tmp_path / "mine.part").write_text("kept")
    for name in (".mine.part", ".mine.4194305.1.part"):
        (tmp_path / name).write_text("kept")
    with write_atomically(tmp_path / "other.json") as draft:
        draft.write_text("whole")
    assert sorted(os.listdir(tmp_path)) == [".mine.4194305.1.part", ".mine.part", "mine.part", "other.json"]


def test_drafts_of_living_writers_stay(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "labels.json"), "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        assert living.stdout is not None
        assert living.stdin is not None
        living.stdout.readline()
        with write_atomically(tmp_path / "own.json") as own:
            own.write_text("half")
            remove_stale_drafts(tmp_path)
            assert len(list(tmp_path.glob(".*.part"))) == 2
        living.stdin.close()
    assert sorted(os.listdir(tmp_path)) == ["labels.json", "own.json"]


def test_drafts_of_another_machine_stay_for_a_day(tmp_path: Path) -> None:
    young, old = tmp_path / ".a.json.00000000.4194305.1.part", tmp_path / ".b.json.00000000.4194305.1.part"
    for path in (young, old):
        path.write_text("half")
    os.utime(old, (0, 0))
    remove_stale_drafts(tmp_path)
    assert os.listdir(tmp_path) == [young.name]


@pytest.mark.parametrize("own", ["_BOOT", "_NUMBERING"])
def test_drafts_of_containers_with_the_same_host_name_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    boot, numbering = tmp_path / "boot", tmp_path / "numbering"
    boot.write_text("first\n")
    numbering.symlink_to("pid:[1]")
    monkeypatch.setattr(atomic_write, "_BOOT", boot)
    monkeypatch.setattr(atomic_write, "_NUMBERING", str(numbering))
    folder = tmp_path / "shared"
    folder.mkdir()
    with draft_of(folder / "a.json") as draft:
        theirs = draft.name.replace(f".{os.getpid()}.", ".4194305.")
    (folder / theirs).write_text("half")
    if own == "_BOOT":
        boot.write_text("second\n")
    else:
        numbering.unlink()
        numbering.symlink_to("pid:[2]")
    remove_stale_drafts(folder)
    assert os.listdir(folder) == [theirs]
    os.utime(folder / theirs, (0, 0))
    remove_stale_drafts(folder)
    assert os.listdir(folder) == []


def test_links_and_folders_with_the_name_of_a_draft_stay(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    with draft_of(tmp_path / "a") as draft:
        name = draft.name
    (tmp_path / name).symlink_to(tmp_path / "mine")
    (tmp_path / name.replace(".a.", ".b.")).mkdir()
    remove_stale_drafts(tmp_path)
    remove_stale_drafts(tmp_path / "missing")
    assert len(os.listdir(tmp_path)) == 3
