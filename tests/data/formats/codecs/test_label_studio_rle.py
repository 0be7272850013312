"""Label Studio's encoding of brushes: bit by bit as its own programs write it."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dentasam.data.formats.codecs.label_studio_rle import decode, encode

# Written by label-studio-sdk 2.1.2 (grey), and by @thi.ng/rle-pack 3.2.12 as the page calls it (red).
MASKS = {
    "mixed": [[1, 1, 0, 0, 1], [1, 0, 0, 1, 1], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]],
    "inner": [[0, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]],
    "ring": [[0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]],
    "empty": [[0] * 5] * 4,
    "full": [[1] * 5] * 4,
}
GREY = {
    "mixed": "00000050391bfcfff3804fff3804fff3804fff84c023ff00",
    "inner": "00000050391bfe1b009ffed8047ff86c00",
    "ring": "00000050391bfc6016ffe7008ffe3008ffe700b7ff85c000",
    "empty": "00000050391bfe4f0000",
    "full": "00000050391bfe4fff00",
}
RED = {
    "mixed": "00000050391bf81ff08043ff08001ff38001ff08043ff08001ff38001ff08043ff08001ff38001ff08043ff08001ff84"
    "c000ff84020ff0",
    "inner": "00000050391bfe1b0003fe10087fe10003fed8001ff08001ff86c000",
    "ring": "00000050391bfc60007fc2010ffc2010ffc20007fce0007fc20007fc60007fc20007fce0007fc2010ffc2010ffc20007fe1700",
}
SIZES = (3, 4, 8, 16)


def record(values: list[int], repeated: int) -> str:
    length = repeated or len(values)
    which = next(index for index, size in enumerate(SIZES) if length <= 1 << size)
    head = f"{int(repeated > 0)}{which:02b}{length - 1:0{SIZES[which]}b}"
    return head + "".join(f"{value:08b}" for value in values)


def as_the_page(mask: np.ndarray, colour: tuple[int, int, int]) -> list[int]:
    """The encoding of a mask in colour: equal values in a row are one record, all others between them another."""
    pixels = np.zeros((mask.size, 4), np.uint8)
    pixels[mask.reshape(-1)] = [*colour, 255]
    values = pixels.reshape(-1)
    starts = [0, *(np.flatnonzero(np.diff(values.astype(int))) + 1).tolist(), values.size]
    bits, single = [f"{values.size:032b}00111" + "".join(f"{size - 1:04b}" for size in SIZES)], list[int]()
    for start, stop in pairwise(starts):
        if stop - start == 1:
            single.append(int(values[start]))
            continue
        bits += [record(single, 0)] if single else []
        single = []
        for begin in range(start, stop, 65536):
            bits.append(record([int(values[start])], min(65536, stop - begin)))
    bits += [record(single, 0)] if single else []
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return [int(text[place : place + 8], 2) for place in range(0, len(text), 8)]


@pytest.mark.parametrize("name", MASKS)
def test_what_the_python_package_writes(name: str) -> None:
    mask = np.array(MASKS[name], bool)
    assert bytes(encode(mask)).hex() == GREY[name]
    np.testing.assert_array_equal(decode(list(bytes.fromhex(GREY[name])), 4, 5), mask)


@pytest.mark.parametrize("name", RED)
def test_what_the_page_writes(name: str) -> None:
    mask = np.array(MASKS[name], bool)
    np.testing.assert_array_equal(decode(list(bytes.fromhex(RED[name])), 4, 5), mask)


@settings(max_examples=60)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.05, 0.5, 0.95, 1.0]),
    st.tuples(*[st.sampled_from([0, 1, 128, 255])] * 3),
    st.integers(0, 2**32),
)
def test_masks_come_back(height: int, width: int, share: float, colour: tuple[int, int, int], seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    np.testing.assert_array_equal(decode(encode(mask), height, width), mask)
    np.testing.assert_array_equal(decode(as_the_page(mask, colour), height, width), mask)


@pytest.mark.parametrize("colour", [(255, 0, 0), (12, 34, 56), (0, 0, 0)])
def test_patterns_of_a_pixel_that_repeat(colour: tuple[int, int, int]) -> None:
    y, x = np.mgrid[:90, :150]
    mask = (x - 70) ** 2 + 3 * (y - 40) ** 2 < 3600
    mask[20:30, 50:90:7] = False
    np.testing.assert_array_equal(decode(as_the_page(mask, colour), 90, 150), mask)


def test_long_runs_are_cut_and_a_panoramic_takes_no_time() -> None:
    y, x = np.mgrid[:1250, :2900]
    mask = (x - 1450) ** 2 / 4 + (y - 600) ** 2 < 400**2
    started = time.process_time()
    coded = encode(mask)
    np.testing.assert_array_equal(decode(coded, 1250, 2900), mask)
    assert time.process_time() - started < 1
    full = encode(np.ones((300, 300), bool))
    # 5 full runs of 65,536 values and one of 32,320: 27 bits each after a header of 53.
    assert len(full) == (53 + 6 * 27) // 8 + 1
    assert decode(full, 300, 300).all()


GOOD = encode(np.array(MASKS["mixed"], bool))
BAD: list[object] = [None, [], "00", {}, GOOD[:5], GOOD[:12], [*GOOD[:9], 256], [*GOOD[:9], -1], [1.5], ["0"], [[0]]]
BAD += [[True] * 9, [10**400], [0, 0, 0, 80, 255, 255, 255, 255], GOOD[:4] + [0] * 20, [255] * 30]


@pytest.mark.parametrize("rle", BAD, ids=range(len(BAD)))
def test_bad_encodings(rle: object) -> None:
    with pytest.raises(ValueError, match="its RLE is"):
        decode(rle, 4, 5)


@pytest.mark.parametrize("seed", range(30))
def test_garbage_ends(seed: int) -> None:
    draw = np.random.default_rng(seed)
    garbage = [*encode(np.zeros((50, 60), bool))[:7], *draw.integers(0, 256, 400).tolist()]
    with suppress(ValueError):
        assert decode(garbage, 50, 60).shape == (50, 60)


def test_the_size_must_be_that_of_the_image() -> None:
    with pytest.raises(ValueError, match="its RLE is for 20 pixels, the image has 30"):
        decode(GOOD, 5, 6)
