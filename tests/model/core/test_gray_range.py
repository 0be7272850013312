"""The range of 16-bit data against the same picture that fills 16 bits, and the rule's own promises."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dentasam.data.phantom import generate
from dentasam.model.core.gray_range import spread

FULL = 65535


@pytest.fixture(scope="module")
def radiograph() -> np.ndarray:
    """A phantom that fills 16 bits, with smooth values between those of 8 bits."""
    drawn = generate(3, width=512, height=256).image
    image: np.ndarray = drawn if drawn.dtype == np.uint16 else drawn.astype(np.uint16) * 257
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.6)
    low, high = smooth.min(), smooth.max()
    return np.rint((smooth - low) * (FULL / (high - low))).astype(np.uint16)


def in_bits(radiograph: np.ndarray, bits: int) -> np.ndarray:
    return radiograph >> (16 - bits)


def marked(gray: np.ndarray, value: int, share: float, soft: bool = False) -> np.ndarray:
    """With bars of 4 pixels like those of letters, over a share of the image, in its upper left corner."""
    bars: np.ndarray = np.zeros(gray.shape, np.float32)
    side = int((2 * share * gray.size) ** 0.5)
    for left in range(0, side, 8):
        bars[4 : 4 + side, 4 + left : 8 + left] = 1
    if soft:
        bars = cv2.GaussianBlur(bars, (0, 0), 0.5)
    return np.rint(gray * (1 - bars) + np.float32(value) * bars).astype(np.uint16)


def far(found: np.ndarray, wanted: np.ndarray) -> float:
    """The distance that 95 % of the pixels keep, as a share of the full range."""
    return float(np.percentile(np.abs(found.astype(np.float64) - wanted), 95) / FULL)


def test_full_range_and_8_bits_are_the_same_array(radiograph: np.ndarray) -> None:
    assert spread(radiograph) is radiograph
    eight = (radiograph >> 8).astype(np.uint8)
    assert spread(eight) is eight
    dark = np.minimum(eight, 20)
    assert spread(dark) is dark


@pytest.mark.parametrize("bits", range(9, 16))
def test_every_depth_is_the_full_range_exactly(radiograph: np.ndarray, bits: int) -> None:
    gray = in_bits(radiograph, bits)
    np.testing.assert_array_equal(spread(gray), np.rint(gray * (FULL / (2**bits - 1))))


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("share", [0.002, 0.01, 0.02])
@pytest.mark.parametrize("soft", [False, True])
def test_a_saturated_marker_takes_no_part(radiograph: np.ndarray, bits: int, share: float, soft: bool) -> None:
    gray = marked(in_bits(radiograph, bits), FULL, share, soft)
    assert far(spread(gray), marked(radiograph, FULL, share, soft)) < 0.002


@pytest.mark.parametrize("bits", [9, 10])
def test_a_marker_need_not_be_65535(radiograph: np.ndarray, bits: int) -> None:
    gray = marked(in_bits(radiograph, bits), 4095, 0.01)
    assert far(spread(gray), marked(radiograph, FULL, 0.01)) < 0.003


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("around", [0, FULL])
def test_padding_takes_no_part(radiograph: np.ndarray, bits: int, around: int) -> None:
    gray = np.pad(in_bits(radiograph, bits), 40, constant_values=around)
    found = spread(gray)
    assert far(found[40:-40, 40:-40], radiograph) < 0.002
    assert (found[:40] == around).all()


@pytest.mark.parametrize("bits", [10, 12, 13])
@pytest.mark.parametrize("offset", [32768, 20000])
@pytest.mark.parametrize("surrounded", [False, True])
def test_offset_data_are_spread(radiograph: np.ndarray, bits: int, offset: int, surrounded: bool) -> None:
    gray = in_bits(radiograph, bits) + np.uint16(offset)
    if surrounded:
        gray = np.pad(marked(gray, FULL, 0.01), 30)
    found = spread(gray)
    inner = found[30:-30, 30:-30] if surrounded else found
    wanted = marked(radiograph, FULL, 0.01) if surrounded else radiograph
    # A twentieth of the range stays free at either end, and a few pixels lie outside.
    assert far(inner, wanted) < 0.1
    assert np.corrcoef(inner.ravel(), wanted.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("bits", [10, 12, 14, 15])
def test_inverted_data_are_the_inverse(radiograph: np.ndarray, bits: int) -> None:
    gray = in_bits(radiograph, bits)
    np.testing.assert_array_equal(spread(2**bits - 1 - gray), np.rint((2**bits - 1 - gray) * (FULL / (2**bits - 1))))
    assert far(spread(FULL - gray), FULL - radiograph) < 0.1


@pytest.mark.parametrize("value", [0, 7, 4095, FULL])
def test_flat_images_and_labels_stay(value: int) -> None:
    flat = np.full((40, 30), value, np.uint16)
    assert spread(flat) is flat
    labels = np.arange(1200, dtype=np.uint16).reshape(40, 30) % 12
    assert spread(labels) is labels


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    low=st.integers(0, 60000),
    width=st.integers(1, 65535),
    skew=st.floats(0.2, 5),
    marker=st.sampled_from([None, 0, 4095, 16383, FULL]),
    share=st.floats(0.0005, 0.5),
)
def test_the_rule_is_monotone_and_changes_nothing_twice(
    seed: int, low: int, width: int, skew: float, marker: int | None, share: float
) -> None:
    rng = np.random.default_rng(seed)
    values = low + rng.random((60, 80)) ** skew * min(width, FULL - low)
    if marker is not None:
        values[rng.random(values.shape) < share] = marker
    gray = values.astype(np.uint16)
    found = spread(gray)
    order = np.argsort(gray, axis=None, kind="stable")
    assert (np.diff(found.ravel()[order].astype(np.int64)) >= 0).all()
    np.testing.assert_array_equal(spread(found), found)
