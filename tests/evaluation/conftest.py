"""A small dataset on disk and segmenters that know its truth, so that every score can be foreseen."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord

HEIGHT, WIDTH = 64, 96
Change = Callable[[np.ndarray, int], np.ndarray]


class KnowingSegmenter:
    """Finds the object that the first click lies in and gives its mask, spoiled by `change(mask, clicks)`."""

    def __init__(self, dataset: Dataset, change: Change, name: str = "dentasam-tiny", adapter: Any = None):
        self.name, self.adapter, self.precision = name, adapter, "fp32"
        self.change = change
        self.truth = {record.read().tobytes(): record.masks() for record in dataset.images}
        self.encoded = 0
        self.calls: list[tuple[int, int]] = []  # objects and clicks of every decode

    def encode(self, image: np.ndarray) -> SimpleNamespace:
        self.encoded += 1
        return SimpleNamespace(masks=self.truth[image.tobytes()])

    def predict(
        self,
        embedding: SimpleNamespace,
        clicks: np.ndarray,
        labels: np.ndarray,
        boxes: Any = None,
        logits: np.ndarray | None = None,
    ) -> SimpleNamespace:
        count, k = labels.shape
        assert clicks.shape == (count, k, 2)
        assert (labels >= 0).all()
        assert (logits is None) == (k == 1)
        assert logits is None or (logits.shape[0] == count and (logits == k - 1).all())  # of the call before
        self.calls.append((count, k))
        masks = []
        for x, y in clicks[:, 0].astype(int):
            truth = next(mask for mask in embedding.masks if mask[y, x])
            masks.append(self.change(truth, k))
        return SimpleNamespace(
            masks=np.array(masks), logits=np.full((count, 4, 6), k, np.float32), scores=np.full(count, 0.5)
        )


def perfect(mask: np.ndarray, clicks: int) -> np.ndarray:
    return mask


def grown(steps: int) -> Change:
    """Too large by `steps` pixels after the first click, by one less with every further click."""

    def change(mask: np.ndarray, clicks: int) -> np.ndarray:
        times = max(0, steps + 1 - clicks)
        return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=times).astype(bool)

    return change


def discs(centres: Sequence[tuple[int, int]], radius: int) -> np.ndarray:
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    return np.array([(cols - x) ** 2 + (rows - y) ** 2 <= radius**2 for x, y in centres])


def build_dataset(
    folder: Path,
    images: int = 8,
    category: Sequence[str] = ("11", "36", "implant"),
    tags: Sequence[Sequence[str]] = (("blurred",), ()),
    name: str = "image-{}.png",
) -> Dataset:
    """`images` noise pictures with three discs each, written to disk as a user has them."""
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for i in range(images):
        path = folder / name.format(i)
        pixels = np.random.default_rng(i).integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        masks = discs([(20, 30), (48, 32), (76, 30)], radius=8 + i % 3)
        objects = tuple(ObjectRecord.from_mask(100 * i + j, category[j], mask) for j, mask in enumerate(masks))
        records.append(ImageRecord(i, path.absolute(), path.name, WIDTH, HEIGHT, tuple(tags[i % len(tags)]), objects))
    return Dataset.load(Dataset(folder / "test.json", tuple(records)).write(folder / "test.json"))


@pytest.fixture
def bench() -> SimpleNamespace:
    """What the tests here build with."""
    return SimpleNamespace(dataset=build_dataset, segmenter=KnowingSegmenter, perfect=perfect, grown=grown)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return build_dataset(tmp_path / "data")
