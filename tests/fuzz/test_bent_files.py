"""Bent files of every kind are read or refused in one line, within five seconds of processor time and 2 GB.

More of them, for hours: `python -m tests.fuzz --hours 3 --seed 7`.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .kind import random_of
from .kinds import KINDS
from .known import KNOWN

SEED = 1
ROOT = Path(__file__).parents[2]
Results = dict[str, dict[str, Any]]


def _run(findings: Path, *arguments: str) -> Results:
    """The suite in a process of its own, which can be forked for each case: it has a single thread."""
    command = [sys.executable, "-m", "tests.fuzz", "--json", "--findings", str(findings), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode in (0, 1), done.stderr[-4000:]
    return {line["case"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """By case; those of KNOWN are among them."""
    known = [part for case in KNOWN.values() for part in ("--also", case)]
    return _run(tmp_path_factory.mktemp("findings"), "--seed", str(SEED), *known)


@pytest.mark.parametrize("kind", KINDS)
def test_bent_files_are_read_or_refused_in_one_line(kind: str, results: Results) -> None:
    lines = [results[f"{kind}:{SEED}:{number}"] for number in range(KINDS[kind].in_tests)]
    assert not [_said(line) for line in lines if line["finding"]]


@pytest.mark.parametrize("name", KNOWN)
def test_what_failed_once_is_read_or_refused_in_one_line(name: str, results: Results) -> None:
    line = results[KNOWN[name]]
    assert not line["finding"], _said(line)


def _said(line: dict[str, Any]) -> str:
    return f"python -m tests.fuzz --case {line['case']}  # {line['outcome']}: {line['detail']} ({line['bent']})"


@pytest.mark.parametrize("name", ["png", "prompts", "tiff", "envelope"])
def test_a_case_has_the_same_bytes_each_time(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    contents = []
    for attempt in ("first", "second"):
        folder = tmp_path / attempt
        folder.mkdir()
        kind.build(folder)
        bent = kind.bend(random_of(7, name, 3), folder)
        contents.append((bent.how, bent.draw, bent.file.read_bytes()))
    assert contents[0] == contents[1]
