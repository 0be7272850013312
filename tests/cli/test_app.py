"""The way out of the command: codes, one line on stderr, and a traceback only where it is asked for."""

import errno
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer

import dentasam as package
from dentasam.cli import app, console
from dentasam.errors import DatasetError

from ..conftest import Command


def leave(monkeypatch: pytest.MonkeyPatch, error: BaseException | None, *arguments: str) -> int:
    """Runs `dentasam compare` with a command in its place that ends as given; gives the exit code."""

    def command(name: str) -> object:
        single = typer.Typer(add_completion=False)

        @single.command(name)
        def compare(count: int = 1) -> None:
            """Stands for any command."""
            if error is not None:
                raise error

        return typer.main.get_command(single)

    monkeypatch.setattr(app, "build_command", command)
    with pytest.raises(SystemExit) as leaving:
        app.main([*arguments] or ["compare"])
    assert isinstance(leaving.value.code, int)
    return leaving.value.code


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    streams = capsys.readouterr()
    assert streams.out == ""
    lines = streams.err.splitlines()
    assert len(lines) == 1, streams.err
    return lines[0]


def test_done(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(monkeypatch, None) == 0
    assert capsys.readouterr().err == ""


def test_an_error_of_the_user(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(monkeypatch, DatasetError("teeth.json: no objects;\nannotate some")) == 2
    assert one_line(capsys) == "dentasam: teeth.json: no objects; annotate some"


def test_a_name_does_not_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(monkeypatch, DatasetError("\x1b[2J\x9b2J\u202egnp.exe\udcff: no image")) == 2
    assert one_line(capsys) == r"dentasam: \u001b[2J\u009b2J\u202egnp.exe\udcff: no image"
    console.say("\x1b]0;title\x07a\u2028b")
    assert capsys.readouterr().out == "\\u001b]0;title\\u0007a\\u2028b\n"
    assert console.markup("[red]\u202e") == r"\[red]\u202e"


def test_an_internal_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(monkeypatch, ZeroDivisionError("division by zero")) == 1
    line = one_line(capsys)
    assert line.startswith("dentasam: internal error: ZeroDivisionError: division by zero (")
    assert "--traceback" in line


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_a_disk_that_takes_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    words = os.strerror(code)
    assert leave(monkeypatch, OSError(code, words, "out/objects.csv")) == 2
    assert one_line(capsys) == (
        f"dentasam: out/objects.csv: cannot be written ({words}); free space or choose another disk, and run it again"
    )
    wrapped = RuntimeError("iostream error")
    wrapped.__context__ = OSError(code, words)
    assert leave(monkeypatch, wrapped) == 2
    assert one_line(capsys).startswith(f"dentasam: the output: cannot be written ({words});")


def test_a_full_disk_behind_stdout() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dentasam", "data", "formats"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.startswith("dentasam: the output: cannot be written (No space left on device);")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("error", [DatasetError("no"), ZeroDivisionError("no")])
def test_the_traceback_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    monkeypatch.setenv(console.TRACEBACK_VARIABLE, "0")
    leave(monkeypatch, error, "--traceback", "compare")
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback (most recent call last):")
    assert "in compare" in shown
    assert shown.splitlines()[-1].startswith("dentasam: ")


def test_stopped_from_the_keyboard(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(monkeypatch, KeyboardInterrupt()) == 130
    assert one_line(capsys) == "dentasam: stopped"


def test_a_command_may_name_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leave(monkeypatch, typer.Exit(3)) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "--nonsense"], r"[Nn]o such option: '?--nonsense'?; see `dentasam compare --help`"),
        (["compare", "--count", "x"], r"Invalid value for '--count': .*; see `dentasam compare --help`"),
        (["compar"], r"No such command 'compar'\. Did you mean 'compare'\?; see `dentasam --help`"),
    ],
)
def test_wrong_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert leave(monkeypatch, None, *arguments) == 2
    line = one_line(capsys)
    assert re.fullmatch(f"dentasam: {message}", line), line


def test_the_command_alone_shows_its_help(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        app.main([])
    assert leaving.value.code == 2
    shown = "".join(capfd.readouterr())
    assert all(name in shown for name in app.COMMANDS)
    assert "Traceback" not in shown


def test_every_command_has_a_summary() -> None:
    group: Any = typer.main.get_command(app.app)
    for name in app.COMMANDS:
        command = group.get_command(None, name)
        assert command.name == name
        assert len(command.get_short_help_str(200)) > 20, name


def test_version(dentasam: Command) -> None:
    shown = dentasam("--version")
    assert (shown.returncode, shown.stdout) == (0, f"dentasam {package.__version__}\n")
    assert version("dentasam") == package.__version__


def test_a_missing_option_in_a_process_of_its_own(dentasam: Command, tmp_path: Path) -> None:
    run = dentasam("evaluate", tmp_path / "no.json")
    assert run.returncode == 2
    assert run.stderr == "dentasam: Missing option '--out'; see `dentasam evaluate --help`\n"
