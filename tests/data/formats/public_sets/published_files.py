"""What the tests of published datasets share: images with made-up teeth, and an import with what it reported."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dentasam.data.dataset import Dataset
from dentasam.data.formats.catalogue import Format
from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import choose, import_dataset

HEIGHT, WIDTH = 40, 60
# By the rule `corners` the block of rows 10-24 and columns 10-29, by `centres` a row and a column more.
SQUARE = [10, 10, 30, 10, 30, 25, 10, 25]


def block(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


CORNERS, CENTRES = block(10, 10, 25, 30), block(10, 10, 26, 31)


def picture(path: Path, gray: int = 90, height: int = HEIGHT, width: int = WIDTH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (width, height), gray).save(path)


def mask_file(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def imported(name: str, source: Path, out: Path, skip: list[str] | None = None) -> tuple[Dataset, list[str]]:
    """The dataset that an import gives, and the lines that it reported. skip: takes lines of what is left out."""
    lines: list[str] = []
    options = ImportOptions(report=lines.append, skip_bad=None if skip is None else skip.append)
    return Dataset.load(import_dataset(name, source, out, options)), lines


def categories(dataset: Dataset) -> list[list[str]]:
    return [[item.category for item in image.objects] for image in dataset.images]


def recognised(source: Path) -> Format:
    """The format that a source is taken for."""
    return choose(None, [source])[0]
