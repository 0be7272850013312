"""Images that are there twice: in one dataset a warning, in two parts of a split an error."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from dentasam.data.coco.problem import Problem
from dentasam.data.quality.pixels.near_duplicates import Fingerprints, Twin
from dentasam.data.record import ImageRecord

LEAK_FIX = "keep it in one of them, or the part that measures holds what was trained on"


class Seen:
    """The contents of one dataset's images so far."""

    def __init__(self) -> None:
        self._first: dict[bytes, ImageRecord] = {}

    def problems(self, image: ImageRecord, content: bytes) -> Iterator[Problem]:
        """A warning where an earlier image has the same pixels. content: their hash."""
        first = self._first.setdefault(content, image)
        if first is not image:
            what = f"{image.file_name} is the same image as {first.file_name} (image {first.id})"
            yield Problem(image.id, None, what, "keep one, or both would be split apart", "warning", "same-image")


def same_images(
    images: Sequence[tuple[Path, ImageRecord]], contents: Sequence[bytes], fingerprints: Fingerprints
) -> Iterator[tuple[int, Problem]]:
    """Near duplicates, and equal images of different datasets, each with the place of the later image.

    images: the dataset and the record of each. contents: a hash of its pixels. An image is named once for its own
    dataset and once for each other one, beside the first that it equals there. What `Seen` reports is left out.
    """
    firsts: dict[tuple[int, Path], Twin] = {}
    for twin in fingerprints.twins():
        key = twin.picture, images[twin.first][0]
        if key not in firsts or _rank(twin, contents) < _rank(firsts[key], contents):
            firsts[key] = twin
    for (place, dataset), twin in firsts.items():
        (own, image), (_, first) = images[place], images[twin.first]
        equal = contents[place] == contents[twin.first]
        shows = "is the same image as" if equal else "is a mirror image of" if twin.mirrored else "shows the same as"
        what = f"{image.file_name} {shows} {first.file_name} (image {first.id})"
        if own != dataset:
            yield place, Problem(image.id, None, f"{what} of {dataset}", LEAK_FIX, "error", "leakage")
        elif not equal:
            fix = "keep one, or both would be split apart"
            yield place, Problem(image.id, None, what, fix, "warning", "near-duplicate")


def _rank(twin: Twin, contents: Sequence[bytes]) -> tuple[bool, bool, int]:
    """Equal pixels first, then what is not mirrored, then the earliest."""
    return contents[twin.picture] != contents[twin.first], twin.mirrored, twin.first
