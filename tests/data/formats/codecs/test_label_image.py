"""Label images against whole masks: what each object keeps, and what is read of each value."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dentasam.data.formats.codecs.label_image import (
    MAX_OBJECTS,
    Lost,
    instance_image,
    label_image,
    runs_by_value,
)
from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.errors import DatasetError

FILE = Path("a.png")


def image_of(masks: np.ndarray) -> ImageRecord:
    objects = tuple(ObjectRecord.from_mask(number, "36", mask) for number, mask in enumerate(masks, start=1))
    return ImageRecord(1, FILE, "a.png", masks.shape[2], masks.shape[1], objects=objects)


@settings(max_examples=60, deadline=None)
@given(
    arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9)), fill=st.nothing()),
    st.lists(st.integers(1, 3), min_size=6, max_size=6),
)
def test_each_pixel_has_the_value_of_the_smallest_object(masks: np.ndarray, given_values: list[int]) -> None:
    masks = masks[masks.any(axis=(1, 2))]
    if not len(masks):
        return
    values = given_values[: len(masks)]
    wanted = np.zeros(masks.shape[1:], np.uint16)
    for index in np.argsort(-masks.sum(axis=(1, 2)), kind="stable"):
        wanted[masks[index]] = values[index]
    labels, lost = label_image(image_of(masks), values)
    np.testing.assert_array_equal(labels, wanted)
    kept = [int((wanted[mask] == value).sum()) for mask, value in zip(masks, values, strict=True)]
    clipped = sum(0 < own < mask.sum() for own, mask in zip(kept, masks, strict=True))
    assert lost == Lost(clipped, kept.count(0))


@settings(max_examples=60, deadline=None)
@given(arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 4)))
def test_the_runs_of_a_value_are_those_of_its_mask(labels: np.ndarray) -> None:
    found = dict(runs_by_value(labels, FILE))
    assert list(found) == [value for value in np.unique(labels).tolist() if value]
    for value, runs in found.items():
        np.testing.assert_array_equal(runs, rle.encode(labels == value))


def test_masks_are_not_held_together() -> None:
    """200 masks of the whole image would be 60 MB; the label image is 0.6 MB."""
    masks = np.zeros((1, 500, 600), bool)
    masks[0, 100:110, 100:130] = True
    one = image_of(masks)
    image = ImageRecord(1, FILE, "a.png", 600, 500, objects=one.objects * 200)
    tracemalloc.start()
    try:
        labels, lost = instance_image(image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3e6
    assert (lost.vanished, int((labels == 200).sum())) == (199, 300)


def test_no_more_objects_are_written_than_are_read() -> None:
    image = image_of(np.ones((1, 1, 1), bool))
    many = ImageRecord(1, FILE, "a.png", 1, 1, objects=image.objects * (MAX_OBJECTS + 1))
    with pytest.raises(DatasetError, match=f"more than {MAX_OBJECTS} objects; export as png"):
        instance_image(many)
    labels = np.arange(MAX_OBJECTS + 2)[None]
    assert len(dict(runs_by_value(labels[:, :-1], FILE))) == MAX_OBJECTS
    with pytest.raises(DatasetError, match=f"^a.png has {MAX_OBJECTS + 1} values; is it a label image"):
        next(runs_by_value(labels, FILE))
