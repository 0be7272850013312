"""A pipe, a socket or a device is never waited for; what the shell hands over may be a pipe."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dentasam.data.prompt_files.syntax import read_document
from dentasam.data.quality.check import find_problems
from dentasam.documents.error import DocumentError
from dentasam.documents.text import read_text
from dentasam.errors import PromptError
from dentasam.files.regular_file import NotRegularError, open_regular


def test_regular_files_and_links_to_them_are_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").symlink_to("a")
    for name in ("a", "b"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_devices_are_not(device: str) -> None:
    with pytest.raises(NotRegularError, match="a pipe, a socket or a device"):
        open_regular(Path(device))


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    with pytest.raises(NotRegularError):
        open_regular(pipe)
    with pytest.raises(DocumentError, match="not a regular file but a pipe"):
        read_text(pipe)
    with pytest.raises(PromptError, match="not a regular file but a pipe"):
        read_document(pipe)
    (problem,) = find_problems(pipe)
    assert "not a regular file but a pipe" in problem.line(pipe)


def test_a_pipe_that_took_a_files_place_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"content")
    os.mkfifo(tmp_path / "pipe")
    status = os.stat(tmp_path / "a")
    monkeypatch.setattr(os, "stat", lambda path, **given: status)
    with pytest.raises(NotRegularError):
        open_regular(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0"])
def test_prompts_come_from_a_program(name: str) -> None:
    code = (
        "import sys; from pathlib import Path; from dentasam.data.prompt_files.syntax import read_document; "
        "print(read_document(Path(sys.argv[1])))"
    )
    read = subprocess.run([sys.executable, "-c", code, name], input=b"a: 1", capture_output=True, check=True)
    assert read.stdout == b"{'a': 1}\n"
