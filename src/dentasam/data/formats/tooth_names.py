"""Category names of a source, by whatever numbering, as FDI numbers, and back for an export.

Names that are no tooth numbers stay as they are. Where the names fit two systems, the user is asked: eleven of the
numbers from 1 to 32 are other teeth in FDI and Universal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from dentasam.data.dataset import Dataset
from dentasam.data.teeth.numbering import MARK, Numbering, Verdict, from_fdi, recognise, to_fdi
from dentasam.errors import DatasetError
from dentasam.model.chart.dentition import SUPERNUMERARY_TOOTH

# Of names that only Universal has: fewer may be numbered classes, or a slip among FDI numbers.
MIN_UNIVERSAL_NAMES = 5
ASK = "give --numbering fdi, universal or palmer (fdi keeps other names as they are)"
CONVERT = "; if they are, give --numbering universal"


class NumberingUnknown(DatasetError):
    """The names of a source do not tell how its teeth are numbered; the user must say."""


def fdi_names(
    names: Iterable[str],
    chosen: Numbering | None,
    declared: Numbering | None,
    source: Path,
    report: Callable[[str], None],
    assumed: Numbering | None = None,
) -> dict[str, str]:
    """What each name that changes is in FDI. chosen: by the user; declared: by the source; assumed: by its format.

    Without the first two the system is recognised from all names together, and reported where it is not FDI. Raises
    NumberingUnknown, which asks for `--numbering`, where the names fit several systems or none; with an assumed
    system only where they are clearly of another one.
    """
    names = list(dict.fromkeys(names))
    numbering = chosen or declared
    if numbering is None and assumed is not None:
        numbering = _confirmed(assumed, names, source, report)
    elif numbering is None:
        numbering = _recognised(names, source, report)
    elif chosen is None and numbering is Numbering.fdi:
        found = recognise(names)
        if found.numbering is Numbering.universal and _are_many(names):
            report(f"its teeth look like Universal numbers ({found.reason}){CONVERT}")
    if numbering is None:
        return {}
    given = {name: to_fdi(name, numbering) for name in names}
    return {name: number for name, number in given.items() if number is not None and number != name}


def with_numbering(dataset: Dataset, numbering: Numbering) -> Dataset:
    """The dataset with its tooth numbers in another system; all other categories stay.

    `info["numbering"]` of a dataset states the system that its numbers are in, where that is not FDI. Raises
    DatasetError where a category that stays has the name that a tooth gets.
    """
    present = declared(dataset.info.get(MARK)) or Numbering.fdi
    if numbering is present:
        return dataset

    new = _new_names(dataset, present, numbering)
    images = (image.renamed(new) for image in dataset.images)
    categories = (replace(category, name=new[category.name]) for category in dataset.categories)
    info = {key: value for key, value in dataset.info.items() if key != MARK}
    if numbering is not Numbering.fdi:
        info[MARK] = numbering.value
    return replace(dataset, images=tuple(images), categories=tuple(categories), info=info)


def _new_names(dataset: Dataset, present: Numbering, wanted: Numbering) -> dict[str, str]:
    """What each category is called in the wanted system. Raises DatasetError where two kinds would become one."""
    records = (record for image in dataset.images for record in (*image.objects, *image.crowds))
    names = dict.fromkeys([category.name for category in dataset.categories] + [item.category for item in records])
    teeth = {name: number for name in names if (number := to_fdi(name, present)) is not None}
    converted = {from_fdi(teeth[name], wanted): name for name in teeth if teeth[name] != SUPERNUMERARY_TOOTH}
    for name in names:
        if name not in teeth and name in converted:
            raise DatasetError(
                f"{dataset.path}: the category {name!r:.40} is not a tooth in {present}, but tooth {converted[name]} "
                f"gets that name in {wanted}; rename the category"
            )
    return {name: from_fdi(teeth[name], wanted) if name in teeth else name for name in names}


def declared(value: object) -> Numbering | None:
    """The system that a source of our own writing names; None for anything else."""
    return Numbering(value) if isinstance(value, str) and value in set(Numbering) else None


def _recognised(names: list[str], source: Path, report: Callable[[str], None]) -> Numbering | None:
    found = recognise(names)
    if found.verdict is Verdict.no_numbers:
        return None
    weak = found.numbering is Numbering.universal and not _are_many(names)
    if found.numbering is None or weak:
        what = "too few names tell" if weak else "its names do not tell"
        raise NumberingUnknown(f"{source}: {what} how its teeth are numbered ({found.reason}); {ASK}")
    if found.numbering is not Numbering.fdi:
        report(f"its teeth have {found.numbering.capitalize()} numbers ({found.reason}), which became FDI numbers")
    return found.numbering


def _confirmed(assumed: Numbering, names: list[str], source: Path, report: Callable[[str], None]) -> Numbering:
    """The assumed system. Raises NumberingUnknown for names that are clearly of another, reports a doubt."""
    found = recognise(names)
    if found.numbering in (None, assumed):
        return assumed
    if found.numbering is not Numbering.universal or _are_many(names):
        raise NumberingUnknown(f"{source}: its teeth do not look like FDI numbers ({found.reason}); {ASK}")
    report(f"some names may be Universal numbers, and stay as they are ({found.reason}){CONVERT}")
    return assumed


def _are_many(names: Iterable[str]) -> bool:
    """Whether so many names can only be Universal numbers that they are hardly numbered classes, or slips."""
    only = [to_fdi(name, Numbering.universal) is not None and to_fdi(name, Numbering.fdi) is None for name in names]
    return sum(only) >= MIN_UNIVERSAL_NAMES
