"""Numbers that are not where they belong: the right teeth are named, and a sound mouth is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dentasam.data.phantom import generate
from dentasam.data.quality.check import check_datasets
from dentasam.data.quality.objects.placement import placement_problems, shows_its_side
from dentasam.data.record import ImageRecord
from dentasam.model.chart.dentition import mirrored

from ..phantom_set import HEIGHT, WIDTH, record_of, teeth_of, write_set


def problems(record: ImageRecord) -> list[tuple[str, str]]:
    return [(problem.kind, problem.what) for problem in placement_problems(record, teeth_of(record))]


def renumbered(record: ImageRecord, numbers: dict[str, str]) -> ImageRecord:
    changed = tuple(replace(item, category=numbers.get(item.category, item.category)) for item in record.objects)
    return replace(record, objects=changed)


def turned(seed: int, upside_down: bool, sides: bool) -> ImageRecord:
    phantom = generate(seed, WIDTH, HEIGHT)
    step = slice(None, None, -1 if upside_down else 1), slice(None, None, -1 if sides else 1)
    objects = [replace(item, mask=item.mask[step]) for item in phantom.objects]
    return record_of(replace(phantom, image=phantom.image[step], objects=objects))


@pytest.mark.parametrize("seed", [2, 5, 9])
def test_a_sound_mouth(seed: int) -> None:
    assert problems(turned(seed, False, False)) == []


@pytest.mark.parametrize("seed", [2, 5, 9])
def test_a_mirrored_image(seed: int) -> None:
    record = turned(seed, False, True)
    assert problems(record) == [("mirrored", "its tooth numbers run from the patient's left to the right")]
    # With the numbers of the other side it is sound: pixels alone do not show it.
    assert problems(renumbered(record, {item.category: mirrored(item.category) for item in record.objects})) == []


def test_upside_down_and_turned() -> None:
    below = "its upper teeth lie below the lower ones"
    for sides, fix in ((False, "it may be mirrored top to bottom"), (True, "it may be turned by 180 degrees")):
        record = turned(2, True, sides)
        (problem,) = placement_problems(record, teeth_of(record))
        assert (problem.kind, problem.what) == ("turned", below)
        assert problem.fix.startswith(fix)


def test_a_number_of_the_other_jaw() -> None:
    record = turned(2, False, False)
    there = {item.category for item in record.objects}
    number = next(name for name in ("36", "35", "34") if name in there)
    other = next(name for name in ("26", "25", "24", "27") if name in there)
    # Exchanged, both are in the wrong jaw.
    found = problems(renumbered(record, {number: other, other: number}))
    assert ("number-jaw", f"tooth {number} lies among the upper teeth") in found
    assert ("number-jaw", f"tooth {other} lies among the lower teeth") in found


def test_cut_off_by_the_edge() -> None:
    phantom = generate(2, WIDTH, HEIGHT)
    columns = {item.category: np.flatnonzero(item.mask.any(axis=0)) for item in phantom.objects}
    rightmost = max(columns, key=lambda category: int(columns[category][-1]))
    edge = int(columns[rightmost].mean())
    objects = [replace(item, mask=item.mask[:, :edge]) for item in phantom.objects if item.mask[:, :edge].any()]
    record = record_of(replace(phantom, image=phantom.image[:, :edge], objects=objects))
    (what,) = [what for kind, what in problems(record) if kind == "cut-off"]
    assert rightmost in what
    assert "the edge of the image" in what


def test_what_shows_the_side() -> None:
    record = turned(2, False, False)
    teeth = teeth_of(record)
    assert shows_its_side(teeth)
    assert not shows_its_side(teeth[:1])
    upper, lower = (next(item for item in teeth if item.is_upper is jaw) for jaw in (True, False))
    assert not shows_its_side([upper, lower])


def test_an_image_without_numbers_is_noted(tmp_path: Path) -> None:
    nameless = write_set(
        tmp_path,
        "set",
        [1, 2],
        change_record=lambda record: replace(record, objects=()) if record.id == 2 else record,
    )
    expected = (
        "1 of 2 images has no two tooth numbers in one arch: whether left and right are exchanged cannot be told"
    )
    assert check_datasets([nameless]).notes == [expected]
