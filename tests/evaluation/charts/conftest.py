"""Datasets of square teeth, and a segmenter whose charts are written down beforehand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.errors import ChartError
from dentasam.model.chart.chart import Chart
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt

HEIGHT, WIDTH = 60, 120
SIDE = 10


def square(place: int, shift: int = 0) -> np.ndarray:
    """(H, W) a square tooth; places count along rows of eleven. shift: to the right, in pixels."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    row, column = divmod(place, 11)
    x, y = 5 + SIDE * column + shift, 5 + 20 * row
    mask[y : y + SIDE, x : x + SIDE] = True
    return mask


@dataclass
class Found:
    """One object of a chart that is given beforehand."""

    number: str
    mask: np.ndarray
    confidence: float = 0.9


@dataclass
class Image:
    """True objects as category and mask, what the chart gives, tags, and crowd regions."""

    true: Sequence[tuple[str, np.ndarray]]
    found: Sequence[Found]
    tags: tuple[str, ...] = ()
    crowds: Sequence[np.ndarray] = field(default_factory=list)


class ChartingSegmenter:
    """Gives the charts of its images, and after j corrections `change(mask, truth, j)`, the truth if not given."""

    images_at_once, precision, chart_sha256 = 1, "fp32", "5" * 64

    def __init__(
        self,
        dataset: Dataset,
        images: Sequence[Image],
        change: Callable[[np.ndarray, np.ndarray, int], np.ndarray] | None = None,
        name: str = "dentasam-tiny",
        adapter: str | None = None,
        has_chart: bool = True,
    ) -> None:
        self.name, self.adapter, self.has_chart = name, adapter, has_chart
        self.change = change or (lambda mask, truth, corrections: truth)
        self.images = {r.read().tobytes(): (r, i) for r, i in zip(dataset.images, images, strict=True)}
        self.charted = 0
        self.calls: list[tuple[int, int]] = []  # objects and clicks of every decode

    def merged(self) -> "ChartingSegmenter":
        return self

    def encode(self, image: np.ndarray) -> SimpleNamespace:
        record, given = self.images[image.tobytes()]
        return SimpleNamespace(record=record, given=given)

    def windows(
        self, image: np.ndarray, embedding: SimpleNamespace, *, windows: bool, repair: bool, objects: int
    ) -> SimpleNamespace:
        truth = [mask for _, mask in embedding.given.true]

        def decode(prompts: Sequence[ObjectPrompt]) -> list[ObjectAnswer]:
            (k,) = {len(prompt.clicks) for prompt in prompts}
            self.calls.append((len(prompts), k))
            answers = []
            for prompt in prompts:
                assert prompt.previous is not None  # corrections go on from the proposal
                assert (prompt.previous.logits == k - 2).all()
                before = prompt.previous.mask.on_image(HEIGHT, WIDTH)
                own = max(truth, key=lambda mask: np.count_nonzero(mask & before))
                mask = BoxedMask(0, 0, self.change(before, own, k - 1)).tight()
                answers.append(ObjectAnswer(mask, np.full((4, 6), k - 1, np.float32), 0.5, answered=k))
            return answers

        return SimpleNamespace(
            decode=decode, uses_windows=windows, uses_repair=repair, given=embedding.given, record=embedding.record
        )

    def chart(self, view: SimpleNamespace, windows: bool = True) -> Chart:
        if not self.has_chart:
            raise ChartError(f"{self.name}: has no chart head; give --adapter one that has")
        assert windows == view.uses_windows
        self.charted += 1
        found = view.given.found
        masks = [BoxedMask(0, 0, item.mask).tight() for item in found]
        clicks = [(mask.x + mask.bits.shape[1] / 2, mask.y + mask.bits.shape[0] / 2) for mask in masks]
        boxes = [(m.x, m.y, m.x + m.bits.shape[1], m.y + m.bits.shape[0]) for m in masks]
        return Chart(
            tuple(ObjectAnswer(mask, np.zeros((4, 6), np.float32), 0.8, answered=1) for mask in masks),
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(clicks, np.float32).reshape(-1, 2),
            tuple(item.number for item in found),
            np.array([item.confidence for item in found], np.float32),
            HEIGHT,
            WIDTH,
        )


def build(folder: Path, images: Sequence[Image], name: str = "image-{}.png") -> Dataset:
    """The images on disk, as a user has them; their ids are 1, 2, …"""
    folder.mkdir(parents=True, exist_ok=True)
    records, object_id = [], 0
    for i, image in enumerate(images, start=1):
        path = folder / name.format(i)
        pixels = np.random.default_rng(i).integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        objects = []
        for category, mask in [*image.true, *(("tooth region", crowd) for crowd in image.crowds)]:
            object_id += 1
            objects.append(ObjectRecord.from_mask(object_id, category, mask))
        count = len(image.true)
        records.append(
            ImageRecord(
                i,
                path.absolute(),
                path.name,
                WIDTH,
                HEIGHT,
                image.tags,
                tuple(objects[:count]),
                tuple(objects[count:]),
            )
        )
    return Dataset.load(Dataset(folder / "test.json", tuple(records)).write(folder / "test.json"))


def true_teeth(numbers: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    """Teeth at the first places, in this order."""
    return [(number, square(place)) for place, number in enumerate(numbers)]


def found_teeth(numbers: Sequence[str], shift: int = 0, confidence: float = 0.9) -> list[Found]:
    """The same as a chart finds them."""
    return [Found(number, square(place, shift), confidence) for place, number in enumerate(numbers)]


@pytest.fixture
def charts() -> Any:
    """What the tests here build with."""
    return SimpleNamespace(
        build=build, segmenter=ChartingSegmenter, image=Image, found=Found, square=square, true=true_teeth,
        teeth=found_teeth,
    )  # fmt: skip
