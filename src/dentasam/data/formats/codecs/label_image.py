"""A label image: each pixel has the value of one object, or 0; there and back without a mask of the whole image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord
from dentasam.errors import DatasetError

# A radiograph that lies in the place of its label image has more values.
MAX_OBJECTS = 1000


@dataclass(frozen=True)
class Lost:
    """How many objects lost some of their pixels to others, and how many all of them."""

    clipped: int = 0
    vanished: int = 0

    def __add__(self, other: Lost) -> Lost:
        return Lost(self.clipped + other.clipped, self.vanished + other.vanished)

    def notes(self, objects: int) -> tuple[str, ...]:
        """A line for the user where anything was lost; objects: how many there are."""
        if not self.clipped and not self.vanished:
            return ()
        lost = f"{self.clipped} lost pixels to overlap and {self.vanished} vanished"
        return (f"of {objects} objects {lost}; the format png keeps them",)


def instance_image(image: ImageRecord) -> tuple[np.ndarray, Lost]:
    """The label image (H, W) uint16, whose values are the objects' places from 1 on, and what it could not keep.

    Raises DatasetError for more than `MAX_OBJECTS`, which would not be read again, and as `ImageRecord.each_runs`.
    """
    if len(image.objects) > MAX_OBJECTS:
        raise DatasetError(f"{image.path}: more than {MAX_OBJECTS} objects; export as png")
    return label_image(image, range(1, len(image.objects) + 1))


def label_image(image: ImageRecord, values: Sequence[int]) -> tuple[np.ndarray, Lost]:
    """The label image (H, W) uint16 with a value for each object, and how many lost pixels to those of other values.

    Smaller objects are drawn over larger ones; objects of one value do not lose pixels to each other. One mask is
    decoded at a time, in its box. Raises DatasetError as `ImageRecord.each_runs`.
    """
    runs = image.each_runs()
    areas = np.array([rle.area_of(each) for each in runs], np.int64)
    labels = np.zeros((image.height, image.width), np.uint16)
    for index in np.argsort(-areas, kind="stable").tolist():
        inside, bits = _inside(labels, runs[index])
        inside[bits] = values[index]
    clipped = vanished = 0
    for value, area, own in zip(values, areas.tolist(), runs, strict=True):
        inside, bits = _inside(labels, own)
        kept = int(((inside == value) & bits).sum())
        vanished += kept == 0
        clipped += 0 < kept < area
    return labels, Lost(clipped, vanished)


def check_count(values: int, file: Path) -> None:
    """Raises DatasetError where a file has more values than a label image may have."""
    if values > MAX_OBJECTS:
        raise DatasetError(
            f"{file} has {values} values; is it a label image? save one value for each of at most "
            f"{MAX_OBJECTS} objects"
        )


def _inside(labels: np.ndarray, runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels in the smallest box around a mask (a view), and the mask in it."""
    x, y, bits = rle.decode_box(runs, len(labels))
    return labels[y : y + bits.shape[0], x : x + bits.shape[1]], bits


def runs_by_value(labels: np.ndarray, file: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Each value from 1 on of a label image (H, W), in ascending order, with the RLE runs of its pixels.

    The image is gone through once, however many values it has. Raises DatasetError, which names the file, for more
    values than `MAX_OBJECTS`, and for noise.
    """
    starts, values = _starts_of_runs(labels, file)
    stops = np.append(starts[1:], labels.size)
    order = np.argsort(values, kind="stable")
    order = order[values[order] > 0]
    found, first = np.unique(values[order], return_index=True)
    check_count(len(found), file)
    edges = np.stack([starts[order], stops[order]], axis=1)
    for value, own in zip(found.tolist(), np.split(edges, first)[1:], strict=True):
        # A mask that reaches the last pixel ends with a run of ones.
        end = [] if own[-1, 1] == labels.size else [labels.size]
        yield value, np.diff(np.concatenate([[0], own.ravel(), end]).astype(np.int64))


def _starts_of_runs(labels: np.ndarray, file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Where runs of one value start, column after column (n,) int64, and the value of each."""
    height, width = labels.shape
    starts: list[np.ndarray] = [np.zeros(1, np.int64)]
    values: list[np.ndarray] = [labels[:1, 0]]
    runs, last = 1, labels[0, 0]
    at_once = max(1, rle.STRIP_PIXELS // height)
    for left in range(0, width, at_once):
        pixels = labels[:, left : left + at_once].T.reshape(-1)  # a copy of these columns, one after another
        changed = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
        if pixels[0] != last:
            changed = np.concatenate([[0], changed])
        starts.append(changed + left * height)
        values.append(pixels[changed])
        runs, last = runs + len(changed), pixels[-1]
        if runs > rle.MAX_RUNS:
            raise DatasetError(
                f"{file} changes its value over {rle.MAX_RUNS:,} times, as noise does; save one value for each object"
            )
    return np.concatenate(starts), np.concatenate(values)
