"""The `dataset.json` of nnU-Net: which values of its label images are which categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dentasam.data.formats.files.folders import read_json_object
from dentasam.data.formats.tooth_names import declared
from dentasam.data.teeth.numbering import MARK, Numbering
from dentasam.errors import DatasetError

ENDINGS = (".png", ".nii.gz", ".nii", ".tif", ".tiff")
BACKGROUND, IGNORE = "background", "ignore"
MAX_VALUE = 65535


@dataclass(frozen=True)
class Label:
    """A category, and the values whose pixels are its object."""

    name: str
    values: tuple[int, ...]


@dataclass(frozen=True)
class DatasetDescription:
    """What `dataset.json` says.

    ending: of the label images. passed_over: values of pixels that are no object, beside 0. tags: those of the cases
    that have any, not yet checked.
    """

    path: Path
    ending: str
    labels: tuple[Label, ...]
    passed_over: frozenset[int]
    tags: Mapping[str, Any]
    numbering: Numbering | None


def tags_of(described: DatasetDescription, case: str) -> tuple[str, ...]:
    """The tags of a case. Raises DatasetError where they are not a list of strings."""
    tags = described.tags.get(case, [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise DatasetError(f"{described.path}: the tags of {case} are not a list of strings; write them as such")
    return tuple(tags)


def read_description(path: Path) -> DatasetDescription:
    """Reads `dataset.json`, of version 2 or 1.

    Raises DatasetError where it does not name the labels, and where two labels have the same values: regions may
    overlap, and such labels would be two objects of the same pixels.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is missing; it names the labels")
    content = read_json_object(path)
    labels = content.get("labels")
    if not isinstance(labels, dict) or not labels:
        raise DatasetError(f"{path} has no labels; write them as nnU-Net does")
    ending = content.get("file_ending", ".nii.gz")
    if ending not in ENDINGS:
        raise DatasetError(f"{path}: files that end in {ending!r:.20} are not read; convert them to .png or .nii.gz")
    named: list[Label] = []
    passed_over: set[int] = set()
    name_of: dict[frozenset[int], str] = {}
    for name, values in _by_name(path, labels):
        numbers = tuple(values) if isinstance(values, list) else (values,)
        if not numbers or not all(type(value) is int and 0 <= value <= MAX_VALUE for value in numbers):
            raise DatasetError(f"{path}: label {name!r:.40} has no whole number from 0 to {MAX_VALUE}; correct it")
        if set(numbers) == {0} or name == BACKGROUND:
            continue
        other = name_of.setdefault(frozenset(numbers), name)
        if other != name:
            value = ", ".join(map(str, numbers))
            raise DatasetError(f"{path}: {other!r:.40} and {name!r:.40} both name the value {value:.20}; correct it")
        if name == IGNORE:
            passed_over.update(numbers)
        else:
            named.append(Label(name, tuple(value for value in numbers if value)))
    tags = content.get("tags", {})
    tags = tags if isinstance(tags, dict) else {}
    numbering = declared(content.get(MARK))
    return DatasetDescription(path, ending, tuple(named), frozenset(passed_over), tags, numbering)


def _by_name(path: Path, labels: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names and values; version 1 has the values as keys."""
    if all(key.isascii() and key.isdigit() and len(key) < 10 for key in labels) and all(
        isinstance(name, str) for name in labels.values()
    ):
        pairs: list[tuple[str, Any]] = [(name, int(key)) for key, name in labels.items()]
    else:
        pairs = list(labels.items())
    if any(not name.strip() for name, _ in pairs):
        raise DatasetError(f"{path} has a label without a name; name it")
    return pairs
