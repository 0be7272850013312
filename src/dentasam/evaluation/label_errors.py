"""Annotations ranked by how little a model agrees with them, so that wrong ones can be looked at first.

The annotation itself places the clicks, as in an evaluation. Where its mask is right, the model finds the object
after one to three of them. Where it is shifted, merged with a neighbour, cut or drawn around nothing, no answer fits.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dentasam.data.quality.reports.disagreement import Disagreement
from dentasam.evaluation.evaluate import image_curve
from dentasam.evaluation.several_at_once import several_at_once

if TYPE_CHECKING:
    from dentasam.data.record import ImageRecord
    from dentasam.model.segmenter import Segmenter

CLICKS = 3


def ranked_by_disagreement(
    segmenter: "Segmenter",
    images: Sequence[tuple[Path, "ImageRecord"]],
    clicks: int = CLICKS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Disagreement]:
    """Every annotation, lowest best Dice first; only the numbers are kept of each.

    images: their datasets and records, of which the masks can be read and fit. progress: takes the number of images
    done and of all.
    """
    with_objects = [(dataset, record) for dataset, record in images if record.objects]

    def measure(entry: tuple[Path, "ImageRecord"]) -> list[Disagreement]:
        dataset, record = entry
        dice = image_curve(segmenter, record, clicks).curve.dice
        return [
            Disagreement(dataset, record.id, record.file_name, item.id, item.category, tuple(row))
            for item, row in zip(record.objects, dice.tolist(), strict=True)
        ]

    found: list[Disagreement] = []
    for done, measured in enumerate(several_at_once(measure, with_objects, segmenter.images_at_once), start=1):
        found += measured
        progress(done, len(with_objects))
    return sorted(found, key=lambda item: item.best)
