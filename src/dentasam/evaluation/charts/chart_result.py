"""What one evaluation of charts measured: every object of every image, what is wrong with it, and the means.

Counting is about teeth, supernumerary ones included. Implants are counted apart, and a chart is perfect when it has
no error in its teeth:

==============  ==================  ==============  ====================================
true            found, IoU >= 0.5   kind            counts as
==============  ==================  ==============  ====================================
tooth           the same number     right           a tooth found and numbered
tooth           another name        misnumbered     a tooth found, one error
tooth           nothing             missed          one error
nothing         a tooth             false           one error
implant         a tooth             false           one error, and a missed implant
nothing         an implant          false           a false implant
==============  ==================  ==============  ====================================

A found object without a true one that lies mainly where it is `ignored` (`ground_truth.py`) counts nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dentasam.evaluation.charts.ground_truth import TOOTH_NAMES, dentition
from dentasam.evaluation.result import Rle, tooth_type
from dentasam.model.chart.dentition import IMPLANT

KINDS = ("right", "misnumbered", "missed", "false", "ignored")


@dataclass(frozen=True)
class ChartObject:
    """A true tooth or implant with the object that was found for it; one of the two may be missing.

    true_id, true_number: None where nothing is annotated. found_number, confidence, score, mask: None where nothing
    was found; score is the IoU that the model itself predicts. iou: of the two masks, 0 where one is missing.
    dice: of the two masks without a click, then after each correction click; empty where one is missing.
    ignored: nothing is annotated, and it lies mainly where that is ignored.
    """

    true_id: int | None
    true_number: str | None
    found_number: str | None
    iou: float = 0.0
    dice: tuple[float, ...] = ()
    confidence: float | None = None
    score: float | None = None
    ignored: bool = False
    mask: Rle | None = None

    @property
    def kind(self) -> str:
        """One of KINDS, as the table above says."""
        if self.found_number is None:
            return "missed"
        if self.ignored:
            return "ignored"
        if self.true_number == self.found_number:
            return "right"
        return "misnumbered" if self.true_number in TOOTH_NAMES else "false"

    @property
    def is_tooth(self) -> bool:
        """Whether a tooth is annotated here."""
        return self.true_number in TOOTH_NAMES

    @property
    def counts_as_found_tooth(self) -> bool:
        """Whether a tooth is annotated and found here, or found where none is."""
        return self.found_number is not None and (
            self.is_tooth or (self.found_number in TOOTH_NAMES and not self.ignored)
        )

    @property
    def tooth_type(self) -> str:
        return tooth_type(self.true_number or self.found_number or "")


@dataclass(frozen=True)
class ChartImage:
    """The chart of one image against its truth; seconds: that the chart took after the image's encoding."""

    image_id: int
    image: str
    tags: tuple[str, ...]
    objects: tuple[ChartObject, ...]
    seconds: float

    @cached_property
    def teeth(self) -> list[ChartObject]:
        """The true teeth."""
        return [item for item in self.objects if item.is_tooth]

    @cached_property
    def matched(self) -> list[ChartObject]:
        """The true teeth that were found."""
        return [item for item in self.teeth if item.found_number is not None]

    @property
    def found(self) -> int:
        """How many objects count as found teeth."""
        return sum(item.counts_as_found_tooth for item in self.objects)

    @property
    def right(self) -> int:
        return sum(item.kind == "right" for item in self.teeth)

    @property
    def missed(self) -> int:
        return len(self.teeth) - len(self.matched)

    @property
    def misnumbered(self) -> int:
        return len(self.matched) - self.right

    @property
    def false(self) -> int:
        return self.found - len(self.matched)

    @property
    def errors(self) -> int:
        """Teeth that are missed, misnumbered or false."""
        return self.missed + self.misnumbered + self.false

    @property
    def ignored(self) -> int:
        """Found objects that count nowhere."""
        return sum(item.ignored for item in self.objects)

    @property
    def dentition(self) -> str:
        """By its true teeth."""
        return dentition(item.true_number or "" for item in self.teeth)

    @property
    def implants(self) -> tuple[int, int, int]:
        """How many implants there are, how many were found, and how many of these are right."""
        true = sum(item.true_number == IMPLANT for item in self.objects)
        found = sum(item.found_number == IMPLANT and not item.ignored for item in self.objects)
        right = sum(item.true_number == item.found_number == IMPLANT for item in self.objects)
        return true, found, right


@dataclass(frozen=True)
class ChartResult:
    """The charts of all images.

    clicks: how many corrections were given to each found object. head: the SHA-256 of the chart head's weights.
    precision, windows, repair: as in `Result`. ap: COCO's average precision (`average_precision.py`). seconds: means
    for an image, `encode`, `chart`, `corrections`.
    """

    model: str
    adapter: str | None
    dataset: str
    clicks: int
    images: tuple[ChartImage, ...]
    ap: dict[str, Any]
    seconds: dict[str, float]
    precision: str = "fp32"
    windows: bool | None = None
    repair: bool | None = None
    head: str | None = None

    @property
    def name(self) -> str:
        return f"{self.model} + {self.adapter}" if self.adapter else self.model

    @property
    def teeth(self) -> int:
        """How many teeth are annotated in all images."""
        return sum(len(image.teeth) for image in self.images)

    def images_by(self, keys: Callable[[ChartImage], tuple[str, ...]]) -> dict[str, list[ChartImage]]:
        """The images under each of their keys, in alphabetical order."""
        groups: dict[str, list[ChartImage]] = {}
        for image in self.images:
            for key in keys(image):
                groups.setdefault(key, []).append(image)
        return {key: groups[key] for key in sorted(groups)}
