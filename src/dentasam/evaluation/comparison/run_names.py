"""Names for the runs of a comparison."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from dentasam.evaluation.run_folder import RunError


class Run(Protocol):
    """What a run was measured with."""

    @property
    def model(self) -> str: ...
    @property
    def adapter(self) -> str | None: ...
    @property
    def name(self) -> str: ...


def distinct_names(folders: Sequence[Path], results: Sequence[Run]) -> tuple[str, ...]:
    """The shortest names that differ: the adapter (of one model), model + adapter, or both and the folder.

    Raises RunError where a folder is given twice.
    """
    pairs = list(zip(folders, results, strict=True))
    ways = [
        [result.name for result in results],
        [f"{result.name} ({folder.name})" for folder, result in pairs],
        [f"{result.name} ({folder})" for folder, result in pairs],
    ]
    if len({result.model for result in results}) == 1:
        ways.insert(0, [result.adapter or result.model for result in results])
    for names in ways:
        if len(set(names)) == len(names):
            return tuple(names)
    raise RunError(f"{folders[0]}: is given twice; give different run folders")


def headings(names: Sequence[str]) -> list[str]:
    """Headings of the columns of differences in a table: of every run but the first, which is the base."""
    return ["difference"] if len(names) == 2 else [f"{name} − base" for name in names[1:]]
