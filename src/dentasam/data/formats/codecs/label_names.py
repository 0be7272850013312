"""The names of the values of label images: `labels.json`, or a label file of ITK-SNAP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dentasam.data.formats.files.folders import by_canonical_name, read_json_object
from dentasam.data.formats.tooth_names import declared
from dentasam.data.links import check_no_link_out
from dentasam.data.spelling import canonical
from dentasam.data.teeth.numbering import MARK, Numbering
from dentasam.errors import DatasetError

NAMES = "labels.json"
# The lowest FDI number.
FIRST_TOOTH = 11
# IDX R G B A VIS MESH "LABEL"
_ITK_SNAP_LINE = re.compile(r'\s*(\d{1,9})(?:\s+\d+){3}\s+[\d.]+\s+[01]\s+[01]\s+"([^"]*)"\s*', re.ASCII)
_ITK_SNAP_SUFFIXES = (".txt", ".label", ".lbl")
_MAX_ITK_SNAP_BYTES = 1 << 20


@dataclass(frozen=True)
class LabelNames:
    """path: where the names stand, None where they stand nowhere: the value is then the name, as an FDI number.

    common: names that hold for all images. by_image: those of one image, by its name's canonical form.
    """

    path: Path | None = None
    common: Mapping[str, Any] = field(default_factory=dict)
    by_image: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    numbering: Numbering | None = Numbering.fdi

    def category(self, image: str, value: int) -> str:
        """The category of a value in an image. Raises DatasetError where it has no name, though others have."""
        own = self.by_image.get(canonical(image), {})
        found = own.get(str(value), self.common.get(str(value)))
        if found is None and not self.common and not self.by_image:
            if value < FIRST_TOOTH:
                # Most tools number the objects of an image from 1 on: 11 would then be no tooth either.
                raise DatasetError(
                    f"the label image of {image}: its value {value} is not an FDI number; name the values in {NAMES}"
                )
            return str(value)
        if not isinstance(found, str) or not found.strip():
            raise DatasetError(f"{self.path}: value {value} of {image} has no category; add it there")
        return found


def read_label_names(*folders: Path) -> LabelNames:
    """The names in the first of the folders that has any: in its `labels.json`, else in an ITK-SNAP label file.

    labels.json: `{IMAGE: {VALUE: NAME}}`, `{VALUE: NAME}` for all images, or both. Raises DatasetError for a file
    that is not JSON, and for a key that is there twice.
    """
    for folder in folders:
        path = folder / NAMES
        if path.is_file():
            content = read_json_object(path)
            mark = content.pop(MARK, None)
            by_image = {name: value for name, value in content.items() if isinstance(value, dict)}
            common = {name: value for name, value in content.items() if not isinstance(value, dict)}
            return LabelNames(path, common, by_canonical_name(by_image), declared(mark))
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() in _ITK_SNAP_SUFFIXES and path.is_file():
                found = _itk_snap(path)
                if found:
                    return LabelNames(path, found, {}, None)
    return LabelNames()


def _itk_snap(path: Path) -> dict[str, str]:
    """The names in an ITK-SNAP label file by their values; {} for a file that is not one."""
    check_no_link_out(path)
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_ITK_SNAP_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return {}
    names: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ITK_SNAP_LINE.fullmatch(line)
        if match is None:
            return {}
        if match[1].strip("0"):
            names[str(int(match[1]))] = match[2]
    return names
