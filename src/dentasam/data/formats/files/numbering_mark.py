"""The mark by which an export says that its teeth have FDI numbers, so that an import need not ask."""

from __future__ import annotations

from dentasam.data.dataset import Dataset
from dentasam.data.teeth.numbering import Numbering, recognise

MARK = "numbering"


def numbering_mark(dataset: Dataset) -> dict[str, str]:
    """The key and value to write, empty where the names do not show that they are FDI numbers.

    11 to 28 alone are numbers of two systems: they get no mark, since the dataset may be written with Universal
    numbers.
    """
    names = [record.category for image in dataset.images for record in image.objects]
    return {MARK: Numbering.fdi.value} if recognise(names).numbering is Numbering.fdi else {}
