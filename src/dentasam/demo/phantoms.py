"""The data of the tour: phantoms in the look of another device.

The bundled base model has seen phantoms, so a look that it has not seen leaves something to adapt to.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from dentasam.data.dataset import Dataset, ImageRecord
from dentasam.data.formats.files.folders import write_png
from dentasam.data.phantom import write_phantoms
from dentasam.data.phantom.conditions import CONDITIONS

SEED = 4


def draw_parts(
    folder: Path, phantoms: int, plain_test_images: int, test_objects_per_image: int
) -> tuple[Dataset, Dataset]:
    """The test and the training part of so many phantoms, drawn into `folder`.

    Tested are an image with each bad condition and some plain ones; of their objects, few enough to be quick.
    """
    drawn = Dataset.load(write_phantoms(folder, phantoms, SEED))
    for record in drawn.images:
        write_png(record.path, another_device(record.read(), record.id))
    plain = [record for record in drawn.images if not set(CONDITIONS) & set(record.tags)]
    bad = [next((each for each in drawn.images if kind in each.tags), None) for kind in CONDITIONS]
    chosen = {record.id: record for record in [*bad, *plain[:plain_test_images]] if record is not None}
    test = tuple(_with_fewer_objects(record, test_objects_per_image) for record in chosen.values())
    train = tuple(record for record in drawn.images if record.id not in chosen)
    parts = {"test": test, "train": train}
    paths = {name: replace(drawn, images=images).write(folder / f"{name}.json") for name, images in parts.items()}
    return Dataset.load(paths["test"]), Dataset.load(paths["train"])


def another_device(image: np.ndarray, seed: int) -> np.ndarray:
    """The look of another device: (H, W) uint8 → the negative, with flat contrast and noise."""
    noise = np.random.default_rng(seed).normal(0.0, 6.0, image.shape)
    negative = 40.0 + 150.0 * (1.0 - image.astype(np.float64) / 255.0) ** 1.3
    return np.clip(np.rint(negative + noise), 0, 255).astype(np.uint8)


def _with_fewer_objects(record: ImageRecord, most: int) -> ImageRecord:
    """The image with at most so many of its objects, spread over the jaws."""
    count = len(record.objects)
    places = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
    return replace(record, objects=tuple(record.objects[place] for place in places))
