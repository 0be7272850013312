"""How far a chart's confidences can be trusted: a confidence is the probability that tooth and number are right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dentasam.evaluation.charts.chart_result import ChartImage

ABOVE = (0.9, 0.95, 0.99)
BINS = 10


@dataclass(frozen=True)
class Calibration:
    """The found teeth of all images, the least sure first.

    confidences: (P,). right: (P,) whether a tooth is there and has this number. teeth: how many are annotated.
    """

    confidences: NDArray[np.float64]
    right: NDArray[np.bool_]
    teeth: int

    def above(self, threshold: float) -> tuple[float | None, float]:
        """Of the found teeth at or above a confidence the share that is right, and their share of all found."""
        kept = self.confidences >= threshold
        right = float(self.right[kept].mean()) if kept.any() else None
        return right, float(kept.mean()) if len(kept) else 0.0

    def bins(self) -> list[tuple[float, float, int]]:
        """Mean confidence, share right and number of the found teeth in each of ten equal bins that has any."""
        place = np.minimum((self.confidences * BINS).astype(int), BINS - 1)
        return [
            (float(self.confidences[own].mean()), float(self.right[own].mean()), int(own.sum()))
            for own in (place == b for b in range(BINS))
            if own.any()
        ]

    @property
    def error(self) -> float | None:
        """Expected calibration error: the mean distance of confidence and share right over bins, by their sizes.

        Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602
        """
        if not len(self.right):
            return None
        return sum(count * abs(sure - right) for sure, right, count in self.bins()) / len(self.right)

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Precision and recall of numbered teeth by confidence: each confidence that occurs, the share right among
        the found teeth at or above it, and these right ones as a share of all true teeth.
        """
        thresholds, first = np.unique(self.confidences, return_index=True)
        right = np.cumsum(self.right[::-1])[::-1][first]
        return thresholds, right / (len(self.right) - first), right / max(self.teeth, 1)

    def to_dict(self) -> dict[str, Any]:
        """`confidence` in metrics.json."""
        above = {f"{threshold:g}": self.above(threshold) for threshold in ABOVE}
        return {
            "expected_calibration_error": _rounded(self.error),
            "above": {
                key: {"right": _rounded(right), "share": _rounded(share)} for key, (right, share) in above.items()
            },
            "bins": [
                {"confidence": _rounded(sure), "right": _rounded(right), "found": count}
                for sure, right, count in self.bins()
            ],
        }


def calibration(images: Iterable[ChartImage]) -> Calibration:
    """Of everything that counts as a found tooth."""
    images = list(images)
    found = [item for image in images for item in image.objects if item.counts_as_found_tooth]
    confidences = np.array([item.confidence for item in found], np.float64)
    right = np.array([item.kind == "right" for item in found], bool)
    order = np.argsort(confidences, kind="stable")
    return Calibration(confidences[order], right[order], sum(len(image.teeth) for image in images))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
