"""Category names of a source, by whatever numbering, as FDI numbers, and back for an export.

Names that are no tooth numbers stay as they are. Where the names fit two systems, the user is asked: eleven of the
numbers from 1 to 32 are other teeth in FDI and Universal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from dentasam.data.dataset import Dataset
from dentasam.data.record import ObjectRecord
from dentasam.data.teeth.numbering import Numbering, Verdict, from_fdi, recognise, to_fdi
from dentasam.errors import DatasetError

# Fewer numbers from 1 to 32 may be numbered classes as well as teeth.
MIN_UNIVERSAL_NAMES = 10
# The key under which a dataset, and a file of other tools that we wrote, states its numbering.
MARK = "numbering"
ASK = "give --numbering fdi, universal or palmer (fdi keeps other names as they are)"


def fdi_names(
    names: Iterable[str],
    chosen: Numbering | None,
    declared: Numbering | None,
    source: Path,
    report: Callable[[str], None],
) -> dict[str, str]:
    """What each name that changes is in FDI. chosen: by the user; declared: by the source.

    Without either the system is recognised from all names together, and reported where it is not FDI. Raises
    DatasetError, which asks for `--numbering`, where the names fit several systems or none.
    """
    names = list(dict.fromkeys(names))
    numbering = chosen or declared
    if numbering is None:
        numbering = _recognised(names, source, report)
    elif chosen is None and numbering is Numbering.fdi:
        found = recognise(names)
        if found.numbering is Numbering.universal and _count(names, Numbering.universal) >= MIN_UNIVERSAL_NAMES:
            report(f"its teeth look like Universal numbers ({found.reason}); if they are, give --numbering universal")
    if numbering is None:
        return {}
    given = {name: to_fdi(name, numbering) for name in names}
    return {name: number for name, number in given.items() if number is not None and number != name}


def with_numbering(dataset: Dataset, numbering: Numbering) -> Dataset:
    """The dataset with its tooth numbers in another system; all other categories stay.

    `info["numbering"]` of a dataset states the system that its numbers are in, where that is not FDI.
    """
    present = declared(dataset.info.get(MARK)) or Numbering.fdi
    if numbering is present:
        return dataset

    def name(category: str) -> str:
        return from_fdi(to_fdi(category, present) or category, numbering)

    def of(records: Iterable[ObjectRecord]) -> tuple[ObjectRecord, ...]:
        return tuple(replace(record, category=name(record.category)) for record in records)

    images = (replace(image, objects=of(image.objects), crowds=of(image.crowds)) for image in dataset.images)
    categories = (replace(category, name=name(category.name)) for category in dataset.categories)
    info = {key: value for key, value in dataset.info.items() if key != MARK}
    if numbering is not Numbering.fdi:
        info[MARK] = numbering.value
    return replace(dataset, images=tuple(images), categories=tuple(categories), info=info)


def declared(value: object) -> Numbering | None:
    """The system that a source of our own writing names; None for anything else."""
    return Numbering(value) if isinstance(value, str) and value in set(Numbering) else None


def _recognised(names: list[str], source: Path, report: Callable[[str], None]) -> Numbering | None:
    found = recognise(names)
    if found.verdict is Verdict.no_numbers:
        return None
    weak = found.numbering is Numbering.universal and _count(names, Numbering.universal) < MIN_UNIVERSAL_NAMES
    if found.numbering is None or weak:
        what = "too few names tell" if weak else "its names do not tell"
        raise DatasetError(f"{source}: {what} how its teeth are numbered ({found.reason}); {ASK}")
    if found.numbering is not Numbering.fdi:
        report(f"its teeth have {found.numbering.capitalize()} numbers ({found.reason}), which became FDI numbers")
    return found.numbering


def _count(names: Iterable[str], numbering: Numbering) -> int:
    return sum(to_fdi(name, numbering) is not None for name in names)
