"""The chart of one image as it is kept: ``charts/IMAGE.json``, written after everything else of that image.

So an image that has this file is done, and one whose writer was killed does not have it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dentasam.data.coco.image_files import escapes
from dentasam.data.formats.files.folders import writing
from dentasam.data.record import ObjectRecord
from dentasam.documents.json_document import read_json
from dentasam.documents.text import LIST_BYTES
from dentasam.files.atomic_write import write_atomically
from dentasam.model.chart.dentition import IMPLANT

FOLDER = "charts"


@dataclass(frozen=True)
class ImageChart:
    """The chart of one image, or why there is none.

    image: its name. sha256: of its file, empty where it could not be read. run: the key of the run's card.
    seconds: to read and chart it. mm_per_px: where the file states it. objects: numbered from 1 in chart order, with
    `score` and `confidence` in their `extra`. missing: permanent numbers that were not found. unsure: the numbers of
    objects that were found and left out. lost: objects that lost some pixels, and all, in a label image.
    files: the size in bytes of each file that belongs to the image, by its path in the folder.
    error: why there is no chart, in one line. internal: whether that is an error of the program, not of the image.
    """

    image: str
    sha256: str
    run: str
    seconds: float
    width: int = 0
    height: int = 0
    mm_per_px: float | None = None
    objects: tuple[ObjectRecord, ...] = ()
    missing: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    lost: tuple[int, int] = (0, 0)
    files: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    internal: bool = False

    @property
    def implants(self) -> int:
        """How many of the objects are implants; the others are teeth."""
        return sum(item.category == IMPLANT for item in self.objects)

    @property
    def teeth(self) -> int:
        """How many of the objects are teeth."""
        return len(self.objects) - self.implants

    def write(self, out: Path) -> None:
        """Writes the file of this chart, as a whole or not at all. Raises OutputError."""
        path = chart_path(out, self.image)
        content = {key: value for key, value in vars(self).items() if key != "objects"}
        content["objects"] = [
            {"number": each.category, "area": each.area, "bbox": each.bbox, "segmentation": each.segmentation}
            | dict(each.extra)
            for each in self.objects
        ]
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with write_atomically(path) as draft:
                draft.write_text(json.dumps(content), encoding="utf-8")

    def is_whole(self, out: Path) -> bool:
        """Whether all its files are there, of the size that they were written with."""
        try:
            return all((out / name).stat().st_size == size for name, size in self.files.items())
        except OSError:
            return False


def chart_path(out: Path, name: str) -> Path:
    """Where the chart of the image of this name is kept."""
    return out / FOLDER / f"{name}.json"


def read_chart(out: Path, name: str, run: str | None) -> ImageChart | None:
    """The chart that a run, or any run for None, made of an image; None where there is none, or it is damaged."""
    try:
        content = read_json(chart_path(out, name), LIST_BYTES)
        if content["image"] != name or run not in (None, content["run"]):
            return None
        if any(escapes(file) for file in content["files"]):
            return None
        objects = tuple(_object(place, each) for place, each in enumerate(content["objects"], start=1))
        lists = {key: tuple(content[key]) for key in ("missing", "unsure", "lost")}
        return ImageChart(**(content | lists | {"objects": objects}))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _object(place: int, content: dict[str, Any]) -> ObjectRecord:
    extra = {key: content[key] for key in ("score", "confidence")}
    bbox = tuple(content["bbox"])
    return ObjectRecord(place, content["number"], content["segmentation"], bbox, content["area"], extra)
