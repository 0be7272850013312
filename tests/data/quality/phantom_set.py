"""Phantoms on disk as a dataset, some of them made bad on purpose."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from dentasam.data.coco.problem import Problem
from dentasam.data.dataset import Dataset
from dentasam.data.phantom import Phantom, generate
from dentasam.data.quality.check import find_problems
from dentasam.data.quality.objects.boxed_objects import BoxedObject, boxed_objects
from dentasam.data.record import ImageRecord, ObjectRecord

WIDTH, HEIGHT = 512, 256
Change = Callable[[np.ndarray], np.ndarray]


def record_of(phantom: Phantom, id: int = 1, path: Path = Path("phantom.png"), first: int = 1) -> ImageRecord:
    """The record of a phantom's teeth, with ids from `first` on; its tags are left out."""
    teeth = [item for item in phantom.objects if item.category.isdigit()]
    objects = (ObjectRecord.from_mask(first + n, item.category, item.mask) for n, item in enumerate(teeth))
    height, width = phantom.image.shape
    return ImageRecord(id, path, path.name, width, height, (), tuple(objects))


def teeth_of(record: ImageRecord) -> list[BoxedObject]:
    problems: list[Problem] = []
    found = boxed_objects(record, problems.append)
    assert not problems
    return found


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def write_set(
    folder: Path,
    name: str,
    seeds: Sequence[int],
    change: Change = lambda pixels: pixels,
    change_record: Callable[[ImageRecord], ImageRecord] = lambda record: record,
) -> Path:
    """Writes folder/name.json with a phantom of each seed, its pixels and its record changed; image ids from 1."""
    records = []
    for id, seed in enumerate(seeds, start=1):
        phantom = generate(seed, WIDTH, HEIGHT)
        path = folder / "images" / f"{name}-{seed}.png"
        save(path, change(phantom.image))
        records.append(change_record(record_of(phantom, id, path, 1000 * id)))
    return Dataset(folder / f"{name}.json", tuple(records)).write(folder / f"{name}.json")


def kinds(path: Path) -> list[tuple[int | None, str]]:
    """Image and kind of each problem of a dataset."""
    return [(problem.image, problem.kind) for problem in find_problems(path)]
