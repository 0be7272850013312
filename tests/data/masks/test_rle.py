"""Run-length masks against pycocotools, on masks that hypothesis draws."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from dentasam.data.masks import rle

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14))


def coco_string(mask: np.ndarray) -> str:
    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode("ascii")


def decoded(runs: np.ndarray, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    rle.decode_into(mask, runs)
    return mask


@settings(max_examples=100, deadline=None)
@given(MASKS)
def test_a_mask_becomes_what_pycocotools_makes_of_it(mask: np.ndarray) -> None:
    height, width = mask.shape
    runs = rle.encode(mask)
    coded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert rle.to_string(runs, height, width) == coded["counts"].decode("ascii")
    assert rle.area_of(runs) == coco_mask.area(coded)
    assert rle.box_of(runs, height) == tuple(coco_mask.toBbox(coded)) or not mask.any()
    np.testing.assert_array_equal(decoded(runs, height, width), mask)


@settings(max_examples=100, deadline=None)
@given(MASKS, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_a_mask_in_a_box_is_that_on_the_image(bits: np.ndarray, x: int, y: int, right: int, below: int) -> None:
    whole = np.pad(bits, ((y, below), (x, right)))
    height, width = whole.shape
    runs = rle.encode(whole)
    np.testing.assert_array_equal(rle.encode_box(x, y, bits, height, width), runs)
    left, top, content = rle.decode_box(runs, height)
    again = np.zeros_like(whole)
    again[top : top + content.shape[0], left : left + content.shape[1]] = content
    np.testing.assert_array_equal(again, whole)
    if whole.any():
        assert (left, top, *content.shape[::-1]) == rle.box_of(runs, height)


@settings(max_examples=50, deadline=None)
@given(st.lists(MASKS, min_size=1, max_size=5))
def test_many_strings_are_read_at_once(masks: list[np.ndarray]) -> None:
    for mask, runs in zip(masks, rle.runs_of([coco_string(mask) for mask in masks]), strict=True):
        assert runs is not None
        np.testing.assert_array_equal(decoded(runs, *mask.shape), mask)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.001, 0.5))
def test_large_noisy_masks(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((90, 170)) < share
    (runs,) = rle.runs_of([coco_string(mask)])
    assert runs is not None
    np.testing.assert_array_equal(runs, rle.encode(mask))
    np.testing.assert_array_equal(decoded(runs, 90, 170), mask)


def test_long_runs() -> None:
    """Numbers of five characters, as a panoramic at full size needs them."""
    mask = np.zeros((1500, 3000), bool)
    mask[700:702, 2990] = True
    (runs,) = rle.runs_of([coco_string(mask)])
    assert runs is not None
    np.testing.assert_array_equal(runs, [2990 * 1500 + 700, 2, 1500 * 10 - 702])
    np.testing.assert_array_equal(decoded(runs, 1500, 3000), mask)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=12), MASKS)
def test_any_text_is_read_or_refused_and_harms_no_neighbour(text: str, mask: np.ndarray) -> None:
    good = coco_string(mask)
    before, found, after = rle.runs_of([good, text, good])
    assert found is None or (found >= 0).all()
    np.testing.assert_array_equal(before, rle.encode(mask))
    np.testing.assert_array_equal(after, rle.encode(mask))


@pytest.mark.parametrize("text", ["", "P", "0P", "!!", "é0", "\ud800", "0" + "P" * 9 + "0", "000O"])
def test_malformed_strings(text: str) -> None:
    assert rle.runs_of([text]) == [None]


def test_no_strings() -> None:
    assert rle.runs_of([]) == []


def test_runs_of_no_length() -> None:
    """Some writers put empty runs between."""
    runs = np.array([0, 0, 3, 2, 0, 1, 6])
    expected = np.zeros(12, bool)
    expected[3:6] = True
    np.testing.assert_array_equal(decoded(runs, 4, 3), expected.reshape(3, 4).T)
    assert rle.box_of(runs, 4) == (0, 0, 2, 4)


@pytest.mark.parametrize("batch", [8, 16, 40])
def test_long_strings_are_read_in_parts(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    draw = np.random.default_rng(0)
    masks = [draw.random((30, 20)) < share for share in (0.5, 0.02, 0.98)]
    strings = [rle.to_string(rle.encode(mask), 30, 20) for mask in masks]
    monkeypatch.setattr(rle, "BATCH_CHARACTERS", batch)
    for mask, runs in zip(masks, rle.runs_of(strings), strict=True):
        np.testing.assert_array_equal(runs, rle.encode(mask))
    assert rle.runs_of([strings[0] + "\x7f" * 3, strings[1] + "P"]) == [None, None]


def test_a_long_string_takes_a_small_multiple_of_its_runs_memory() -> None:
    count = 2_000_000
    tracemalloc.start()
    try:
        (runs,) = rle.runs_of([b"1" + b"10" * (count // 2)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert runs is not None
    assert runs.size == count + 1
    assert peak < 6 * runs.nbytes
