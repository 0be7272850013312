"""A small dataset on disk and segmenters that know its truth, so that every score can be foreseen."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt

HEIGHT, WIDTH = 64, 96
Change = Callable[[np.ndarray, int], np.ndarray]


class KnowingSegmenter:
    """Finds the object that the first click lies in and gives its mask, spoiled by `change(mask, clicks)`."""

    images_at_once = 1

    def __init__(self, dataset: Dataset, change: Change, name: str = "dentasam-tiny", adapter: Any = None):
        self.name, self.adapter, self.precision = name, adapter, "fp32"
        self.change = change
        self.truth = {record.read().tobytes(): record.masks() for record in dataset.images}
        self.encoded = 0
        self.calls: list[tuple[int, int]] = []  # objects and clicks of every decode

    def encode(self, image: np.ndarray) -> SimpleNamespace:
        self.encoded += 1
        return SimpleNamespace(masks=self.truth[image.tobytes()])

    def windows(
        self,
        image: np.ndarray,
        embedding: SimpleNamespace,
        *,
        windows: bool = True,
        repair: bool = True,
        objects: int | None = None,
    ) -> SimpleNamespace:
        assert objects in (None, len(embedding.masks))

        def decode(prompts: Sequence[ObjectPrompt]) -> list[ObjectAnswer]:
            (k,) = {len(prompt.clicks) for prompt in prompts}
            self.calls.append((len(prompts), k))
            answers = []
            for prompt in prompts:
                assert (prompt.clicks[:, 2] >= 0).all()
                assert (prompt.previous is None) == (k == 1)
                assert prompt.previous is None or (prompt.previous.logits == k - 1).all()  # of the call before
                x, y = prompt.clicks[0, :2].astype(int)
                truth = next(mask for mask in embedding.masks if mask[y, x])
                mask = BoxedMask(0, 0, self.change(truth, k)).tight()
                answers.append(ObjectAnswer(mask, np.full((4, 6), k, np.float32), 0.5))
            return answers

        return SimpleNamespace(decode=decode, uses_windows=windows, uses_repair=repair)


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
