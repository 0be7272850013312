"""Clicks as tensor operations are those of OpenCV, to the pixel, and wait for the device nowhere they need not."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch.utils._python_dispatch import TorchDispatchMode

from dentasam.errors import PromptError
from dentasam.prompts import correction_clicks as clicks
from dentasam.prompts import tensor_correction_clicks as tensor_clicks
from dentasam.prompts.regions import largest_region, squared_depth

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True, scope="module")
def as_on_a_gpu() -> Iterator[None]:
    """Take the way of a CUDA device on this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tensor_clicks, "on_device", lambda device: True)
        yield


def drawn_masks(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """Blobs, blocks on a coarse grid (full of ties) and noise; among them an empty and a full mask."""
    masks = []
    for index in range(count):
        field: np.ndarray = rng.standard_normal((height, width)).astype(np.float32)
        if index % 3 == 0:
            field = cv2.GaussianBlur(field, (0, 0), float(rng.uniform(1, 4)))
        elif index % 3 == 1:
            field = np.kron(field[::4, ::4], np.ones((4, 4)))[:height, :width]
        masks.append(field > rng.uniform(-0.5, 0.5) * field.std())
    masks[rng.integers(count)] = np.zeros((height, width), bool)
    masks[rng.integers(count)] = np.ones((height, width), bool)
    return np.stack(masks)


@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(1, 41), st.integers(1, 41))
def test_depth_is_the_exact_euclidean_one(seed: int, height: int, width: int) -> None:
    masks = drawn_masks(np.random.default_rng(seed), 6, height, width)
    found = squared_depth(torch.from_numpy(masks)).numpy()
    for mask, depth in zip(masks, found, strict=True):
        exact = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
        assert np.array_equal(depth, np.rint(exact**2))


@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(1, 41), st.integers(1, 41))
def test_largest_region_is_the_first_of_the_largest(seed: int, height: int, width: int) -> None:
    masks = drawn_masks(np.random.default_rng(seed), 6, height, width)
    areas, regions = largest_region(torch.from_numpy(masks))
    for mask, area, region in zip(masks, areas.tolist(), regions.numpy(), strict=True):
        labels, _ = ndimage.label(mask)  # numbered in reading order
        sizes = np.bincount(labels.ravel())[1:]
        assert area == (sizes.max() if len(sizes) else 0)
        assert np.array_equal(region, labels == 1 + sizes.argmax() if len(sizes) else mask)


def test_a_region_that_winds_is_one_region() -> None:
    spiral = np.zeros((41, 41), bool)
    top, bottom, left, right = 0, 40, 0, 40
    while left < right:
        spiral[top, left : right + 1] = spiral[top:bottom, right] = True
        spiral[bottom, left : right + 1] = spiral[top + 2 : bottom, left] = True
        spiral[top + 2, left : left + 2] = True
        top, bottom, left, right = top + 2, bottom - 2, left + 2, right - 2
    assert ndimage.label(spiral)[1] == 1
    area, region = largest_region(torch.from_numpy(spiral)[None])
    assert int(area) == spiral.sum()
    assert np.array_equal(region[0].numpy(), spiral)


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(2, 48), st.integers(2, 48), st.booleans())
def test_correction_clicks_are_those_of_opencv(seed: int, height: int, width: int, drawn: bool) -> None:
    rng = np.random.default_rng(seed)
    truth, prediction = drawn_masks(rng, 7, height, width), drawn_masks(rng, 7, height, width)
    prediction[0] = truth[0]
    draws = rng.random(7) if drawn else None
    expected = clicks.correction_clicks(prediction, truth, draws)
    found = tensor_clicks.correction_clicks(
        torch.from_numpy(prediction), torch.from_numpy(truth), None if draws is None else torch.from_numpy(draws)
    )
    for name in ("points", "labels", "found"):
        ours, theirs = getattr(found, name).numpy(), getattr(expected, name)
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs), name


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(2, 48), st.integers(2, 48))
def test_some_objects_are_clicked_at_the_centre_and_the_others_at_random(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    truth, prediction = drawn_masks(rng, 7, height, width), drawn_masks(rng, 7, height, width)
    draws, centred = rng.random(7), rng.random(7) < 0.5
    at_centre, at_random = (clicks.correction_clicks(prediction, truth, given) for given in (None, draws))
    arrays = clicks.correction_clicks(prediction, truth, draws, centred)
    tensors = tensor_clicks.correction_clicks(
        torch.from_numpy(prediction), torch.from_numpy(truth), torch.from_numpy(draws), centred
    )
    for name in ("points", "labels", "found"):
        expected = np.stack(
            [getattr(at_centre if own else at_random, name)[index] for index, own in enumerate(centred)]
        )
        assert np.array_equal(getattr(arrays, name), expected), name
        assert np.array_equal(getattr(tensors, name).numpy(), expected), name


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(2, 48), st.integers(2, 48))
def test_first_clicks_are_those_of_opencv(seed: int, height: int, width: int) -> None:
    masks = drawn_masks(np.random.default_rng(seed), 7, height, width)
    masks = masks[masks.any(axis=(1, 2))]
    found = tensor_clicks.interior_centre(torch.from_numpy(masks)).numpy()
    assert np.array_equal(found, clicks.interior_centre(masks))


def test_ties_fall_to_the_first_in_reading_order() -> None:
    truth = np.zeros((2, 24, 40), bool)
    truth[:, 2:8, 4:10] = truth[:, 14:20, 20:26] = True  # missed: two squares alike, each with four deepest pixels
    prediction = np.zeros_like(truth)
    prediction[1, 1:7, 30:36] = True  # surplus: a square of their size, above both
    for ours in (clicks.correction_clicks, tensor_clicks.correction_clicks):
        arrays = (
            (prediction, truth) if ours is clicks.correction_clicks else map(torch.from_numpy, (prediction, truth))
        )
        found = ours(*arrays)
        assert found.points.tolist() == [[6, 4], [6, 4]]
        assert found.labels.tolist() == [1, 1]


class _NoWaiting(TorchDispatchMode):
    """Refuses what a host has to wait for: numbers read back, and shapes that depend on values."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        waits = ("_local_scalar_dense", "nonzero", "unique", "masked_select", "is_nonzero", "equal.default")
        assert not any(name in str(function) for name in waits), function
        return function(*args, **(kwargs or {}))


def test_drawn_and_first_clicks_never_wait_for_the_device() -> None:
    rng = np.random.default_rng(0)
    truth, prediction = (torch.from_numpy(drawn_masks(rng, 5, 20, 30)) for _ in range(2))
    draws = torch.from_numpy(rng.random(5))
    with _NoWaiting():
        tensor_clicks.correction_clicks(prediction, truth, draws)
        tensor_clicks.interior_centre(truth)
        with pytest.raises(AssertionError, match="equal"):
            tensor_clicks.correction_clicks(prediction, truth)


def test_on_a_cpu_opencv_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(tensor_clicks, "on_device", lambda device: device.type == "cuda")
    monkeypatch.setattr(tensor_clicks, "squared_depth", None)
    monkeypatch.setattr(tensor_clicks, "largest_region", None)
    truth = torch.from_numpy(drawn_masks(np.random.default_rng(3), 4, 20, 30)) | True
    found = tensor_clicks.correction_clicks(torch.zeros_like(truth), truth)
    assert found.points.tolist() == [[9, 9]] * 4
    assert tensor_clicks.interior_centre(truth).tolist() == [[9, 9]] * 4
    with pytest.raises(PromptError, match="empty mask"):
        tensor_clicks.interior_centre(torch.zeros_like(truth))
    with pytest.raises(PromptError, match="differ in shape"):
        tensor_clicks.correction_clicks(truth, truth[:1])
