import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from dentasam.data.masks import rle
from dentasam.labelling.wire import box_mask
from dentasam.labelling.wire.box_mask import BoxMask, MaskError

MASKS = arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))


def varint(number: int) -> bytes:
    coded = bytearray()
    while number > 0x7F:
        coded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*coded, number])


def reference_runs(mask: BoxMask) -> bytes:
    """Run lengths counted one pixel at a time."""
    lengths, value, run = [], False, 0
    for pixel in mask.bits.reshape(-1).tolist():
        if pixel != value:
            lengths.append(run)
            value, run = pixel, 0
        run += 1
    return b"".join(map(varint, [*lengths, run])) if mask.bits.size else b""


@given(MASKS)
def test_a_mask_survives_its_runs(mask: np.ndarray) -> None:
    boxed = BoxMask.from_mask(mask)
    again = BoxMask.from_runs(boxed.x, boxed.y, boxed.width, boxed.height, boxed.runs())
    assert np.array_equal(again.on_image(*mask.shape), mask)
    assert boxed.area == mask.sum()


@given(MASKS)
def test_runs_are_those_of_a_plain_count(mask: np.ndarray) -> None:
    loose = BoxMask(3, 4, mask)
    for boxed in (loose, loose.tight()):
        assert boxed.runs() == reference_runs(boxed)


def test_runs_known_by_hand() -> None:
    # Zeros first, row by row: 1 zero, 3 ones, 2 zeros.
    assert BoxMask(0, 0, np.array([[0, 1, 1], [1, 0, 0]], bool)).runs() == bytes([1, 3, 2])
    assert BoxMask(0, 0, np.ones((1, 2), bool)).runs() == bytes([0, 2])


@pytest.mark.parametrize("size", [127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_long_runs_take_the_bytes_that_leb128_says(size: int) -> None:
    ones = BoxMask(0, 0, np.ones((1, size), bool))
    assert ones.runs() == b"\0" + varint(size)
    assert BoxMask.from_runs(0, 0, size, 1, ones.runs()).area == size


def test_the_box_is_tight() -> None:
    mask = np.zeros((40, 60), bool)
    mask[5:9, 7:20] = True
    boxed = BoxMask.from_mask(mask)
    assert (boxed.x, boxed.y, boxed.width, boxed.height) == (7, 5, 13, 4)


@given(MASKS)
def test_coco_runs_are_those_of_the_whole_image(mask: np.ndarray) -> None:
    height, width = mask.shape[0] + 5, mask.shape[1] + 7
    boxed = BoxMask(3, 2, mask)
    runs = boxed.coco_runs(height, width)
    coded = {"size": [height, width], "counts": rle.to_string(runs, height, width)}
    assert np.array_equal(coco_mask.decode(coded).astype(bool), boxed.on_image(height, width))
    assert np.array_equal(runs, rle.encode(boxed.on_image(height, width)))


def test_masks_are_equal_by_their_pixels() -> None:
    mask = np.zeros((10, 10), bool)
    mask[2:4, 3:6] = True
    assert BoxMask.from_mask(mask) == BoxMask(0, 0, mask)
    assert BoxMask.from_mask(mask) != BoxMask(1, 0, mask)
    assert BoxMask(0, 0, np.zeros((5, 5), bool)) == BoxMask.empty()


def test_a_box_that_leaves_the_image_does_not_fit() -> None:
    boxed = BoxMask(8, 0, np.ones((2, 3), bool))
    with pytest.raises(MaskError, match="does not fit an image of 10 x 10"):
        boxed.on_image(10, 10)
    assert boxed.fits(2, 11)
    assert not boxed.fits(2, 10)
    assert not boxed.fits(1, 11)


@pytest.mark.parametrize(
    ("x", "y", "width", "height", "runs"),
    [
        (0, 0, 2, 2, b""),  # nothing
        (0, 0, 2, 2, b"\x03"),  # too few pixels
        (0, 0, 2, 2, b"\x05"),  # too many
        (0, 0, 2, 2, b"\x84"),  # cut in a number
        (0, 0, 2, 2, b"\x02\x00\x02"),  # a run of nothing inside
        (0, 0, 2, 2, b"\x84\x80\x80\x80\x00"),  # longer than any run
        (0, 0, 0, 2, b""),  # half empty
        (0, 0, 0, 0, b"\x00"),  # empty with runs
        (-1, 0, 2, 2, b"\x04"),
        (1 << 40, 0, 2, 2, b"\x04"),
        (0, 0, 1 << 20, 1 << 20, varint((1 << 28) - 1)),  # more pixels than an image has
    ],
)
def test_malformed_runs_are_refused(x: int, y: int, width: int, height: int, runs: bytes) -> None:
    with pytest.raises(MaskError):
        BoxMask.from_runs(x, y, width, height, runs)


@given(st.binary(max_size=20), st.integers(0, 6), st.integers(0, 6))
def test_any_bytes_are_a_mask_or_a_mask_error(runs: bytes, width: int, height: int) -> None:
    try:
        boxed = BoxMask.from_runs(0, 0, width, height, runs)
    except MaskError:
        return
    assert boxed.bits.shape == (height, width)
    # Numbers written longer than need be are the one freedom; the pixels are the same.
    assert BoxMask.from_runs(0, 0, width, height, boxed.runs()) == boxed


@given(MASKS, st.integers(4, 9), st.integers(1, 9))
def test_a_packed_mask_says_the_same_as_its_bits(mask: np.ndarray, in_bytes: int, in_pixels: int) -> None:
    loose = BoxMask(3, 4, mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(box_mask, "BLOCK_BYTES", in_bytes)
        patch.setattr(box_mask, "BLOCK_PIXELS", in_pixels)
        packed = BoxMask.from_runs(3, 4, loose.width, loose.height, loose.runs())
        assert packed.runs() == loose.runs() == reference_runs(loose)
        np.testing.assert_array_equal(packed.bits, mask)
        assert packed.area == mask.sum()
        one, other = packed.tight(), loose.tight()
        assert (one.x, one.y, one.width, one.height, one.runs()) == (
            other.x,
            other.y,
            other.width,
            other.height,
            other.runs(),
        )


def test_numbers_written_longer_than_need_be_are_shortened() -> None:
    assert BoxMask.from_runs(0, 0, 2, 2, b"\x80\x00\x84\x80\x00").runs() == b"\x00\x04"


def test_a_mask_of_many_runs_takes_little_more_than_its_bytes() -> None:
    runs = b"\x01" * (1 << 20)
    tracemalloc.start()
    try:
        mask = BoxMask.from_runs(0, 0, 1024, 1024, runs)
        assert mask.tight().area == 1 << 19
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert BoxMask(0, 0, mask.bits).runs() == runs
        _, again = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * len(runs)
    assert again < 16 * len(runs)
