"""Pieces and holes against counts by hand and by scipy, and masks that are there twice."""

import numpy as np
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from dentasam.data.quality.objects.boxed_objects import BoxedObject, common_pixels, pairs_with_touching_boxes
from dentasam.data.quality.objects.mask_measures import pieces_and_holes, same_masks
from dentasam.data.record import ObjectRecord
from dentasam.model.windows.boxed_mask import BoxedMask


def boxed(id: int, category: str, mask: np.ndarray) -> BoxedObject:
    record = ObjectRecord.from_mask(id, category, mask)
    return BoxedObject(record, BoxedMask(0, 0, mask).tight(), int(mask.sum()))


def test_pieces_and_holes_of_a_drawing() -> None:
    mask = np.zeros((20, 30), bool)
    mask[2:12, 2:12] = True
    mask[4:6, 4:7] = mask[8, 8] = False
    mask[15:18, 20:22] = True
    mask[18, 22] = True  # touches the second piece at a corner
    assert pieces_and_holes(mask) == ([93, 7], [6, 1])
    assert pieces_and_holes(mask[:, 15:]) == ([7], [])


@given(arrays(bool, (7, 9)))
def test_pieces_and_holes_are_those_that_scipy_counts(mask: np.ndarray) -> None:
    pieces, count = ndimage.label(mask, np.ones((3, 3)))
    ground, grounds = ndimage.label(np.pad(~mask, 1, constant_values=True))
    expected = [np.count_nonzero(pieces == n) for n in range(1, count + 1)]
    holes = [np.count_nonzero(ground == n) for n in range(1, grounds + 1) if n != ground[0, 0]]
    assert pieces_and_holes(mask) == (sorted(expected, reverse=True), sorted(holes, reverse=True))


def test_the_same_mask_twice() -> None:
    masks = np.zeros((5, 40, 40), bool)
    masks[0, 5:25, 5:25] = masks[1, 5:25, 5:25] = True  # the same
    masks[2, 5:26, 5:25] = True  # a row more: IoU 400 / 420
    masks[3, 5:25, 8:28] = True  # IoU 340 / 460
    masks[4, 30:35, 30:35] = True
    objects = [boxed(id, "36", mask) for id, mask in enumerate(masks)]
    found = [(first.record.id, second.record.id, round(iou, 3)) for first, second, iou in same_masks(objects)]
    assert found == [(0, 1, 1.0), (0, 2, 0.952), (1, 2, 0.952)]


def test_a_crown_may_cover_its_tooth() -> None:
    mask = np.ones((9, 9), bool)
    assert not list(same_masks([boxed(1, "36", mask), boxed(2, "crown", mask)]))
    assert len(list(same_masks([boxed(1, "crown", mask), boxed(2, "filling", mask)]))) == 1


@given(arrays(bool, (2, 8, 8)).filter(lambda masks: masks.any(axis=(1, 2)).all()))
def test_common_pixels_and_touching_boxes(masks: np.ndarray) -> None:
    first, second = (boxed(id, "36", mask) for id, mask in enumerate(masks))
    common = common_pixels(first.mask, second.mask)
    assert common == np.count_nonzero(masks[0] & masks[1])
    # Pairs that are left out have no pixel in common.
    assert list(pairs_with_touching_boxes([first, second])) == [(first, second)] or common == 0
