"""Notices on images: once for each file, collected where a caller lists them, one line in the command."""

import subprocess
import sys
from pathlib import Path

import pytest

from dentasam.data.notices import collected_notices, notice


def test_once_for_each_file_and_text(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    for _ in range(3):
        notice(tmp_path / "a.dcm", "is odd")
        notice(tmp_path / "a.dcm", "another")
        notice(tmp_path / "b.dcm", "is odd")
    lines = [
        f"{tmp_path / name} {text}" for name, text in (("a.dcm", "is odd"), ("a.dcm", "another"), ("b.dcm", "is odd"))
    ]
    assert [record.getMessage() for record in caplog.records] == lines


def test_a_file_is_the_same_by_whatever_path(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (Path("c.png"), tmp_path / "c.png", tmp_path / "x" / ".." / "c.png"):
        notice(path, "is odd")
    assert [record.getMessage() for record in caplog.records] == ["c.png is odd"]


def test_collected_by_the_caller(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with collected_notices() as texts:
        notice(tmp_path / "a.dcm", "is odd")
        notice(tmp_path / "a.dcm", "is odd")
    assert texts == ["is odd"]
    assert not caplog.records
    notice(tmp_path / "a.dcm", "is odd")
    assert len(caplog.records) == 1


def test_the_command_shows_one_line() -> None:
    script = (
        "from pathlib import Path\n"
        "from dentasam.cli.console import run\n"
        "from dentasam.data.notices import notice\n"
        "def command():\n"
        "    notice(Path('a.dcm'), 'is odd')\n"
        "    notice(Path('a.dcm'), 'is odd')\n"
        "run(command)\n"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", "dentasam: a.dcm is odd\n")
