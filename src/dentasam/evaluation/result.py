"""What one evaluation measured: every object after every click, and the means over them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dentasam.evaluation.metrics import clicks_needed

NOC_THRESHOLDS = (80, 85, 90)
TOOTH_TYPES = ("incisor", "canine", "premolar", "molar", "other")

Rle = dict[str, Any]


@dataclass(frozen=True)
class ObjectResult:
    """One object after each of k clicks. Lengths are in image pixels.

    points, labels: x, y and 1 or 0 of each click; fewer than k where the mask was perfect before the last click.
    `dice` and `iou` then keep their value.
    first, final: the masks after the first and the last click as COCO RLE, or None where predictions.json is missing.
    score: the IoU that the model itself predicts for `final`.
    """

    image_id: int
    image: str
    object_id: int
    category: str
    tags: tuple[str, ...]
    area: int
    dice: tuple[float, ...]
    iou: tuple[float, ...]
    hd95_px: float
    nsd_2px: float
    points: tuple[tuple[float, float], ...]
    labels: tuple[int, ...]
    first: Rle | None = None
    final: Rle | None = None
    score: float | None = None

    @property
    def tooth_type(self) -> str:
        return tooth_type(self.category)


@dataclass(frozen=True)
class Result:
    """All objects of one run.

    seconds: mean time for an image in the encoder and in the decoder. precision: the encoder's arithmetic.
    """

    model: str
    adapter: str | None
    dataset: str
    clicks: int
    objects: tuple[ObjectResult, ...]
    seconds: dict[str, float]
    precision: str = "fp32"

    @property
    def name(self) -> str:
        return f"{self.model} + {self.adapter}" if self.adapter else self.model

    @property
    def images(self) -> int:
        return len({item.image_id for item in self.objects})

    def dice(self) -> NDArray[np.float64]:
        """(P, k) Dice of every object after every click."""
        return np.array([item.dice for item in self.objects])

    def iou(self) -> NDArray[np.float64]:
        """(P, k) IoU of every object after every click."""
        return np.array([item.iou for item in self.objects])

    def surface(self) -> NDArray[np.float64]:
        """(P, 2) HD95 in px and surface Dice at 2 px of every final mask."""
        return np.array([(item.hd95_px, item.nsd_2px) for item in self.objects])

    def noc(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(P, 3) clicks needed for IoU 0.80, 0.85, 0.90, and (P, 3) which objects never reach it."""
        needed = [clicks_needed(self.iou(), threshold / 100) for threshold in NOC_THRESHOLDS]
        return np.stack([n for n, _ in needed], axis=1), np.stack([f for _, f in needed], axis=1)

    def by_tag(self) -> dict[str, "Result"]:
        """The objects of the images with each tag; an image with two tags counts under both."""
        return self._grouped(lambda item: item.tags)

    def by_category(self) -> dict[str, "Result"]:
        return self._grouped(lambda item: (item.category,))

    def by_tooth_type(self) -> dict[str, "Result"]:
        groups = self._grouped(lambda item: (item.tooth_type,))
        return {kind: groups[kind] for kind in TOOTH_TYPES if kind in groups}

    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json."""
        noc, failed = self.noc()
        hd95, nsd = self.surface().mean(axis=0)
        return {
            "model": self.model,
            "adapter": self.adapter,
            "precision": self.precision,
            "dataset": self.dataset,
            "images": self.images,
            "objects": len(self.objects),
            "clicks": self.clicks,
            "dice_at_clicks": _rounded(self.dice().mean(axis=0)),
            "iou_at_clicks": _rounded(self.iou().mean(axis=0)),
            "noc": {str(t): round(float(n), 4) for t, n in zip(NOC_THRESHOLDS, noc.mean(axis=0), strict=True)},
            "failures": {str(t): int(n) for t, n in zip(NOC_THRESHOLDS, failed.sum(axis=0), strict=True)},
            "surface": {"hd95_px": round(float(hd95), 4), "nsd_2px": round(float(nsd), 6)},
            "by_tag": _group_metrics(self.by_tag()),
            "by_category": _group_metrics(self.by_category()),
            "by_tooth_type": _group_metrics(self.by_tooth_type()),
            "seconds": {phase: round(value, 4) for phase, value in self.seconds.items()},
        }

    def _grouped(self, keys: Callable[[ObjectResult], Iterable[str]]) -> dict[str, "Result"]:
        groups: dict[str, list[ObjectResult]] = {}
        for item in self.objects:
            for key in keys(item):
                groups.setdefault(key, []).append(item)
        return {key: replace(self, objects=tuple(groups[key])) for key in sorted(groups)}


def tooth_type(category: str) -> str:
    """Tooth type of an FDI number, permanent (11-48) or deciduous (51-85); any other category is `other`."""
    if len(category) != 2 or not (category.isascii() and category.isdigit()):
        return "other"
    quadrant, place = int(category[0]), int(category[1])
    if 1 <= quadrant <= 4 and 1 <= place <= 8:
        return ("incisor", "incisor", "canine", "premolar", "premolar", "molar", "molar", "molar")[place - 1]
    if 5 <= quadrant <= 8 and 1 <= place <= 5:
        return ("incisor", "incisor", "canine", "molar", "molar")[place - 1]
    return "other"


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 6) for value in values]


def _group_metrics(groups: dict[str, Result]) -> dict[str, Any]:
    return {
        key: {"objects": len(part.objects), "dice_at_clicks": _rounded(part.dice().mean(axis=0))}
        for key, part in groups.items()
    }
