"""Commands in the README and the guides parse, Python examples compile, links lead somewhere."""

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from dentasam.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(dentasam [^`…|]+)`")


def examples(language: str) -> list[tuple[str, str]]:
    """(page, block) of every fenced block in one of these languages."""
    wanted = {"sh": {"sh", "bash", "console"}, "python": {"python"}}[language]
    return [
        (page.relative_to(ROOT).as_posix(), body)
        for page in PAGES
        for found, body in FENCE.findall(page.read_text(encoding="utf-8"))
        if found in wanted
    ]


def command_lines() -> list[tuple[str, str]]:
    lines = []
    for page, block in examples("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            start = re.search(r"(?:^|\s|/)dentasam (?!\S*\.)", line.removeprefix("$ "))
            if start:
                lines.append((page, line.removeprefix("$ ")[start.end() :]))
    for path in PAGES:
        prose = FENCE.sub("", path.read_text(encoding="utf-8"))
        page = path.relative_to(ROOT).as_posix()
        lines += [(page, found.removeprefix("dentasam ")) for found in INLINE.findall(prose)]
    return lines


def test_there_are_commands_to_check() -> None:
    assert {"demo", "data", "train", "evaluate", "compare", "predict"} <= {
        shlex.split(line, comments=True)[0] for _, line in command_lines()
    }


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_command_parses(page: str, line: str) -> None:
    arguments = shlex.split(line, comments=True)
    complete = len(arguments) > 2  # `dentasam train` in a sentence names the command and stops there
    command: Any = typer.main.get_command(app)
    while hasattr(command, "get_command"):
        context = command.make_context("dentasam", list(arguments[:1]), resilient_parsing=True)
        if not arguments or arguments[0].startswith("-"):
            break
        name, *arguments = arguments
        found = command.get_command(context, name)
        assert found is not None, f"{page}: `dentasam {line}`: no command {name}"
        command = found
    context = typer.Context(command)
    # The parser alone: it knows the options and how many values each takes, and opens no file.
    given, _, _ = command.make_parser(context).parse_args(list(arguments))
    if complete and not given.get("help"):
        missing = [each.name for each in command.params if each.required and not given.get(each.name)]
        assert not missing, f"{page}: `dentasam {line}`: without {missing}"


@pytest.mark.parametrize(("page", "block"), examples("python"))
def test_python_compiles_and_its_imports_exist(page: str, block: str) -> None:
    compile(block, page, "exec")
    for module, names in re.findall(r"^from (dentasam[\w.]*) import ([\w, ]+)", block, re.MULTILINE):
        for name in names.split(","):
            assert hasattr(importlib.import_module(module), name.strip()), f"{page}: {module} has no {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def architecture_paths() -> list[str]:
    """Every file and folder that the architecture page names, in code or in a picture."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    words = re.findall(r"(?<![\w/.(])(?:[\w+.-]+/)+(?:[\w.-]+\.(?:py|tsx?|json|yaml)\b)?", text)
    # a sub-package in the table of rooms stands beside its room
    return sorted({word for word in words if word.count("/") > 1 or not word.endswith("/")})


def test_the_architecture_page_names_paths() -> None:
    assert len(architecture_paths()) > 60


@pytest.mark.parametrize("path", architecture_paths())
def test_paths_of_the_architecture_page_exist(path: str) -> None:
    """Paths are relative to the package, the page's sources or the repository."""
    assert any((ROOT / base / path).exists() for base in ("src/dentasam", "web/src", ".")), path
