"""Small islands and holes go; the oracle is scipy's labelling of the parts, and pictures drawn by hand."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from dentasam.labelling.inference.tidying import tidied
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.tidy_sizes import DEFAULT_TIDY, Tidy

EIGHT = np.ones((3, 3), bool)
KEEP = Tidy(islands=0, holes=0)
SHAPE = (60, 80)


def drawn() -> np.ndarray:
    """A block of 30 x 40 with a hole of 2 x 3, and an island of 4 x 4."""
    bits = np.zeros(SHAPE, bool)
    bits[10:40, 10:50] = True
    bits[20:22, 30:33] = False
    bits[50:54, 60:64] = True
    return bits


def cleaned(bits: np.ndarray, sizes: Tidy = DEFAULT_TIDY, **meant: object) -> np.ndarray:
    return tidied(BoxMask.from_mask(bits), sizes, **meant).on_image(*bits.shape)  # type: ignore[arg-type]


def pixel(row: int, column: int) -> BoxMask:
    bits = np.zeros(SHAPE, bool)
    bits[row, column] = True
    return BoxMask.from_mask(bits)


def test_islands_and_holes_below_the_size_go_and_others_stay() -> None:
    bits = drawn()
    block = np.zeros_like(bits)
    block[10:40, 10:50] = True
    assert np.array_equal(cleaned(bits), block)
    assert np.array_equal(cleaned(bits, KEEP), bits)
    # Sizes in pixels: a part of exactly that size stays.
    assert np.array_equal(cleaned(bits, Tidy(islands=16, holes=6)), bits)
    assert np.array_equal(cleaned(bits, Tidy(islands=17, holes=7)), block)
    assert np.array_equal(cleaned(bits, Tidy(islands=17, holes=0)), bits & block)


@pytest.mark.parametrize("seed", range(12))
def test_random_masks_agree_with_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = ndimage.gaussian_filter(rng.normal(size=(70, 90)), 1.5) > rng.uniform(-0.05, 0.1)
    islands, holes = int(rng.integers(0, 60)), int(rng.integers(0, 60))
    parts, count = ndimage.label(bits, EIGHT)
    areas = np.bincount(parts.ravel(), minlength=count + 1)
    largest = 1 + int(areas[1:].argmax())
    wanted = np.isin(parts, [part for part in range(1, count + 1) if part == largest or areas[part] >= islands])
    ground, count = ndimage.label(np.pad(~wanted, 1, constant_values=True))
    gaps = np.bincount(ground.ravel(), minlength=count + 1)
    small = [part for part in range(1, count + 1) if part != ground[0, 0] and gaps[part] < holes]
    wanted |= np.isin(ground[1:-1, 1:-1], small)
    assert np.array_equal(cleaned(bits, Tidy(islands=islands, holes=holes)), wanted)


def test_what_the_annotator_meant_stays() -> None:
    bits = drawn()
    assert cleaned(bits, painted=pixel(51, 61))[50:54, 60:64].all()
    assert not cleaned(bits, erased=pixel(20, 30))[20:22, 30:33].any()
    clicks = [(30.0, 15.0, 1), (61.0, 52.0, 1), (31.0, 21.0, 0)]
    assert np.array_equal(cleaned(bits, clicks=clicks), bits)
    # A negative click keeps no island, a positive one no hole.
    swapped = [(61.0, 52.0, 0), (31.0, 21.0, 1)]
    assert np.array_equal(cleaned(bits, clicks=swapped), cleaned(bits))


def test_a_gap_at_the_edge_of_the_image_is_no_hole() -> None:
    bits = np.zeros((20, 20), bool)
    bits[0:10, 0:10] = True
    bits[0:3, 4:6] = False
    assert np.array_equal(cleaned(bits, Tidy(islands=0, holes=400)), bits)


def test_a_hole_that_was_filled_before_goes_whatever_its_size() -> None:
    before = np.zeros((60, 60), bool)
    before[10:50, 10:50] = True
    ring = before.copy()
    ring[15:45, 15:45] = False
    assert np.array_equal(cleaned(ring, KEEP, filled=BoxMask.from_mask(before)), before)
    assert np.array_equal(cleaned(ring, KEEP, filled=BoxMask.from_mask(ring)), ring)
    assert np.array_equal(cleaned(ring, KEEP, filled=BoxMask.from_mask(before), clicks=[(30.0, 30.0, 0)]), ring)


def test_nothing_and_a_single_part_stay_as_they_are() -> None:
    assert tidied(BoxMask.empty()) == BoxMask.empty()
    dot = np.zeros((9, 9), bool)
    dot[4, 4] = True
    assert np.array_equal(cleaned(dot, Tidy(islands=50, holes=50)), dot)


@pytest.mark.parametrize("size", [-1, 1.5, float("nan"), float("inf"), "much"])
def test_a_size_is_a_share_or_a_number_of_pixels(size: object) -> None:
    with pytest.raises(ValidationError):
        Tidy.model_validate({"islands": size})
