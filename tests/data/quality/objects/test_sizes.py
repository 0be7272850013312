"""Teeth out of the family of their number."""

import numpy as np
import pytest

from dentasam.data.quality.objects.boxed_objects import BoxedObject
from dentasam.data.quality.objects.sizes import MIN_OF_NUMBER, OddSize, Sizes
from dentasam.data.record import ObjectRecord
from dentasam.model.windows.boxed_mask import BoxedMask

USUAL = {"11": 900, "16": 1600, "26": 1600, "31": 400, "36": 2000, "46": 2000}


def tooth(id: int, category: str, area: int) -> BoxedObject:
    record = ObjectRecord(id, category, [], (0, 0, 1, 1), area)
    return BoxedObject(record, BoxedMask(0, 0, np.ones((1, 1), bool)), area)


def images(count: int, seed: int = 0) -> list[list[BoxedObject]]:
    """Images of all zooms, with teeth that differ by some 10 %."""
    rng = np.random.default_rng(seed)
    found = []
    for image in range(count):
        zoom = rng.uniform(0.3, 4)
        areas = {number: max(1, round(zoom * area * rng.normal(1, 0.1))) for number, area in USUAL.items()}
        found.append([tooth(100 * image + n, number, area) for n, (number, area) in enumerate(areas.items())])
    return found


def odd(all_images: list[list[BoxedObject]]) -> list[OddSize]:
    sizes = Sizes()
    for picture, objects in enumerate(all_images):
        sizes.add(picture, objects)
    return list(sizes.odd())


def test_teeth_of_one_family_at_every_zoom() -> None:
    assert odd(images(60)) == []


@pytest.mark.parametrize("factor", [0.2, 3.5])
def test_one_out_of_its_family(factor: float) -> None:
    all_images = images(60)
    old = all_images[7][4]
    all_images[7][4] = tooth(old.record.id, "36", round(old.area * factor))
    (found,) = odd(all_images)
    assert (found.picture, found.annotation, found.number) == (7, 704, "36")
    assert found.factor == pytest.approx(factor, rel=0.4)


def test_an_incisor_with_the_number_of_a_molar() -> None:
    all_images = images(60)
    molar, incisor = all_images[3][4], all_images[3][3]
    all_images[3][3] = tooth(incisor.record.id, "36", incisor.area)
    all_images[3][4] = tooth(molar.record.id, "31", molar.area)
    assert [(found.picture, found.number) for found in odd(all_images)] == [(3, "36"), (3, "31")]


def test_too_few_to_know() -> None:
    all_images = images(MIN_OF_NUMBER - 1)
    all_images[3][4] = tooth(304, "36", 9)
    assert odd(all_images) == []
    assert odd([]) == []
