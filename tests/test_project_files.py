"""The files for the public host say the same as the package: its version, its licence, its versions of Python."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from dentasam.version import __version__

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHON = "Programming Language :: Python :: "


def test_the_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["title"] == PROJECT["name"]
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert citation["repository-code"] == PROJECT["urls"]["Source"]


@pytest.fixture(params=["linux", "macos"])
def job(request: pytest.FixtureRequest) -> dict[str, Any]:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = workflow["jobs"][request.param]
    return found


def test_the_workflow_runs_on_every_python_that_the_package_names(job: dict[str, Any]) -> None:
    named = [line.removeprefix(PYTHON) for line in PROJECT["classifiers"] if line.startswith(PYTHON)]
    assert job["strategy"]["matrix"]["python"] == named


def test_the_workflow_calls_targets_that_the_makefile_has(job: dict[str, Any]) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called = {
        word
        for step in job["steps"]
        for word in shlex.split(step.get("run", ""))
        if re.fullmatch(r"[a-z]+", word) and word != "make"
    }
    assert called
    assert called <= targets
