"""What one evaluation measured: every object after every click, and the means over them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dentasam.evaluation.click_shares import KINDS, ClickEvents, repeated_clicks
from dentasam.evaluation.metrics import clicks_needed

NOC_THRESHOLDS = (80, 85, 90)
NOC_DICE_THRESHOLDS = (80, 85, 90, 95)
# px: image pixels; permille: a thousandth of the image's width; mm: only where the image states the size of a pixel.
SURFACE_MEASURES = ("hd95_px", "nsd_2px", "hd95_permille", "nsd_1permille", "hd95_mm")
TOOTH_TYPES = ("incisor", "canine", "premolar", "molar", "other")

Rle = dict[str, Any]


@dataclass(frozen=True)
class ObjectResult:
    """One object after each of k clicks. Lengths are in image pixels.

    points, labels: x, y and 1 or 0 of each click; fewer than k where the mask was perfect before the last click.
    `dice` and `iou` then keep their value.
    first, final: the masks after the first and the last click as COCO RLE, or None where predictions.json is missing.
    score: the IoU that the model itself predicts for `final`.
    width: of the image. mm_per_px: the size of its pixels, None where it is not known.
    nsd_1permille: surface Dice within a thousandth of the width.
    unheeded, repaired: what became of each click (see `click_shares`). windowed: whether an object window answered
    it, and not the whole image. These and width are None in a folder of an earlier version.
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
    width: int | None = None
    mm_per_px: float | None = None
    nsd_1permille: float | None = None
    unheeded: tuple[bool, ...] | None = None
    repaired: tuple[bool, ...] | None = None
    windowed: tuple[bool, ...] | None = None

    @property
    def tooth_type(self) -> str:
        return tooth_type(self.category)

    @property
    def repeated(self) -> tuple[bool, ...] | None:
        """Which clicks repeat an earlier one (see `click_shares`)."""
        return None if self.width is None else repeated_clicks(self.points, self.labels, self.width)

    @property
    def hd95_permille(self) -> float | None:
        return None if self.width is None else 1000 * self.hd95_px / self.width

    @property
    def hd95_mm(self) -> float | None:
        return None if self.mm_per_px is None else self.hd95_px * self.mm_per_px


@dataclass(frozen=True)
class Result:
    """All objects of one run.

    seconds: mean time for an image in the encoder and in the decoder. precision: the encoder's arithmetic.
    windows: whether objects were decoded in object windows; repair: whether clicks that a mask contradicted were
    enforced. Both are None in a folder of an earlier version, which had neither.
    """

    model: str
    adapter: str | None
    dataset: str
    clicks: int
    objects: tuple[ObjectResult, ...]
    seconds: dict[str, float]
    precision: str = "fp32"
    windows: bool | None = None
    repair: bool | None = None

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
        """(P, 5) SURFACE_MEASURES of every final mask, NaN where one is not known."""
        return np.array([[getattr(item, name) for name in SURFACE_MEASURES] for item in self.objects], np.float64)

    def noc(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(P, 3) clicks needed for IoU 0.80, 0.85, 0.90, and (P, 3) which objects never reach it."""
        return _clicks_needed(self.iou(), NOC_THRESHOLDS)

    def noc_dice(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(P, 4) clicks needed for Dice 0.80, 0.85, 0.90, 0.95, and (P, 4) which objects never reach it."""
        return _clicks_needed(self.dice(), NOC_DICE_THRESHOLDS)

    def click_events(self, kind: str) -> ClickEvents | None:
        """Unheeded, repaired or repeated clicks; None for a folder of an earlier version."""
        given = np.zeros((len(self.objects), self.clicks), np.int64)
        hits = given.copy()
        for row, item in enumerate(self.objects):
            events = getattr(item, kind)
            if events is None:
                return None
            given[row, : len(item.labels)] = 1
            hits[row, : len(events)] = events
        if kind == "unheeded":
            hits[:, 0] = 0
        return ClickEvents(hits, given)

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
        surface = [_mean(column) for column in self.surface().T]
        return {
            "model": self.model,
            "adapter": self.adapter,
            "precision": self.precision,
            "windows": self.windows,
            "repair": self.repair,
            "dataset": self.dataset,
            "images": self.images,
            "objects": len(self.objects),
            "clicks": self.clicks,
            "dice_at_clicks": _rounded(self.dice().mean(axis=0)),
            "iou_at_clicks": _rounded(self.iou().mean(axis=0)),
            **self._click_metrics(),
            **_noc_metrics("", NOC_THRESHOLDS, *self.noc()),
            **_noc_metrics("_dice", NOC_DICE_THRESHOLDS, *self.noc_dice()),
            "surface": {
                **dict(zip(SURFACE_MEASURES, surface, strict=True)),
                "objects_with_mm": sum(item.mm_per_px is not None for item in self.objects),
            },
            "by_tag": _group_metrics(self.by_tag()),
            "by_category": _group_metrics(self.by_category()),
            "by_tooth_type": _group_metrics(self.by_tooth_type()),
            "seconds": {phase: round(value, 4) for phase, value in self.seconds.items()},
        }

    def _click_metrics(self) -> dict[str, Any]:
        """How the clicks were heeded; empty for a folder of an earlier version."""
        events = {kind: self.click_events(kind) for kind in KINDS}
        known = {kind: found for kind, found in events.items() if found is not None}
        if len(known) < len(KINDS):
            return {}
        answers = [window for item in self.objects for window in item.windowed or ()]
        missed = [item.unheeded[0] for item in self.objects if item.unheeded]
        given = known["unheeded"].given.sum(axis=0)
        return {
            "clicks_given": given.tolist(),
            **{f"{kind}_at_clicks": _rounded(found.share()) for kind, found in known.items()},
            "corrections": {
                "given": int(given[1:].sum()),
                **{kind: round(float(found.corrections.share()[0]), 6) for kind, found in known.items()},
            },
            "first_click_missed": round(float(np.mean(missed)), 6),
            "answers": {"window": sum(answers), "whole_image": len(answers) - sum(answers)},
        }

    def _grouped(self, keys: Callable[[ObjectResult], Iterable[str]]) -> dict[str, "Result"]:
        groups: dict[str, list[ObjectResult]] = {}
        for item in self.objects:
            for key in keys(item):
                groups.setdefault(key, []).append(item)
        return {key: replace(self, objects=tuple(groups[key])) for key in sorted(groups)}


def _clicks_needed(
    fit: NDArray[np.float64], thresholds: Iterable[int]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    needed = [clicks_needed(fit, threshold / 100) for threshold in thresholds]
    return np.stack([n for n, _ in needed], axis=1), np.stack([f for _, f in needed], axis=1)


def _noc_metrics(
    of: str, thresholds: Iterable[int], noc: NDArray[np.int64], failed: NDArray[np.bool_]
) -> dict[str, Any]:
    names = [str(threshold) for threshold in thresholds]
    return {
        f"noc{of}": dict(zip(names, (round(float(n), 4) for n in noc.mean(axis=0)), strict=True)),
        f"failures{of}": dict(zip(names, (int(n) for n in failed.sum(axis=0)), strict=True)),
    }


def _mean(values: NDArray[np.float64]) -> float | None:
    """The mean of the values that are known, None where none is."""
    known = values[~np.isnan(values)]
    return round(float(known.mean()), 6) if known.size else None


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
