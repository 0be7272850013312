"""Everything that is wrong or doubtful in datasets, each with its fix: what `dentasam data check` lists.

Images are read one at a time. What is kept of each beside its record is a few numbers, 2 kB for near duplicates, and
20 bytes for each tooth.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dentasam.data.coco.parse import Parsed, parse
from dentasam.data.coco.passed_over import DESCRIPTIONS, FIXES, Reason, lines
from dentasam.data.coco.problem import Problem
from dentasam.data.quality.objects.boxed_objects import boxed_objects
from dentasam.data.quality.objects.object_problems import object_problems
from dentasam.data.quality.objects.placement import shows_its_side
from dentasam.data.quality.objects.sizes import Sizes
from dentasam.data.quality.pixels.image_measures import ImageMeasures, measure
from dentasam.data.quality.pixels.image_problems import (
    contrast_problem,
    measured_problems,
    on_its_side,
    pixel_problems,
    read_pixels,
)
from dentasam.data.quality.pixels.near_duplicates import Fingerprints, fingerprint
from dentasam.data.quality.pixels.outliers import TAG_SHARE, WARNING_SHARE, least_sharpness, upside_down
from dentasam.data.quality.pixels.same_images import Seen, same_images
from dentasam.data.quality.suggested_tags import TAGS, suggested_tags
from dentasam.data.record import ImageRecord

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CheckedImage:
    """An image of which the pixels and the size could be read. dataset: as it was named.

    measures: None for an image too small to measure. shows_its_side: whether its numbers show if it is mirrored.
    tags: the bad-case tags that its measures suggest.
    """

    dataset: Path
    record: ImageRecord
    measures: ImageMeasures | None
    shows_its_side: bool
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """The result: problems of each dataset, in the order of the datasets and their images. objects: their number."""

    problems: dict[Path, list[Problem]]
    images: tuple[CheckedImage, ...]
    objects: int

    @property
    def errors(self) -> int:
        return sum(problem.severity == "error" for found in self.problems.values() for problem in found)

    @property
    def sound_images(self) -> list[tuple[Path, ImageRecord]]:
        """Datasets and records of the images that have no error: all of their masks can be read, and fit."""
        wrong = {
            (path, problem.image)
            for path, problems in self.problems.items()
            for problem in problems
            if problem.severity == "error" and problem.kind != "leakage"
        }
        return [(each.dataset, each.record) for each in self.images if (each.dataset, each.record.id) not in wrong]

    @property
    def tag_counts(self) -> dict[str, int]:
        """How many images each tag is suggested for; tags of none are left out."""
        counts = {tag: sum(tag in image.tags for image in self.images) for tag in TAGS}
        return {tag: count for tag, count in counts.items() if count}

    @property
    def notes(self) -> list[str]:
        """What these datasets cannot show."""
        measured = [image for image in self.images if image.measures is not None]
        unsided = sum(not image.shows_its_side for image in measured)
        if not unsided:
            return []
        images = f"1 of {len(measured)} images has" if unsided == 1 else f"{unsided} of {len(measured)} images have"
        return [f"{images} no two tooth numbers in one arch: whether left and right are exchanged cannot be told"]


def find_problems(
    path: str | Path, images: str | Path | None = None, progress: Progress = lambda done, total: None
) -> list[Problem]:
    """The errors and warnings of one dataset; see `check_datasets`."""
    return check_datasets([Path(path)], images, progress).problems[Path(path)]


def check_datasets(
    paths: Sequence[Path],
    images: str | Path | None = None,
    progress: Progress = lambda done, total: None,
    follow_links: bool = False,
) -> Check:
    """Lists the errors of datasets, at which `Dataset.load` or training would stop, and warnings.

    Unlike `Dataset.load` it continues after an error, and reads every image and mask. The datasets are the parts of a
    split: an image that is in two of them, or nearly the same in two, is an error of the later one. A path that is
    named twice is checked once.
    images, follow_links: as for `Dataset.load`. progress: takes the number of images of a dataset done and of all.
    """
    run = _Run(follow_links)
    for path in dict.fromkeys(paths):
        run.add(path, None if images is None else Path(images), progress)
    return run.result()


class _Run:
    """What is known so far."""

    def __init__(self, follow_links: bool) -> None:
        self._follow_links = follow_links
        self._problems: dict[Path, list[Problem]] = {}
        self._images: list[CheckedImage] = []
        self._contents: list[bytes] = []
        self._fingerprints, self._sizes = Fingerprints(), Sizes()
        self._objects = 0

    def add(self, path: Path, folder: Path | None, progress: Progress) -> None:
        problems = self._problems[path] = []
        parsed = parse(Path(os.path.abspath(path)), problems.append, folder, follow_links=self._follow_links)
        problems += _passed_over(parsed)
        seen = Seen()
        for done, image in enumerate(parsed.images, start=1):
            problems += self._image_problems(path, image, seen)
            progress(done, len(parsed.images))
        self._objects += sum(len(image.objects) for image in parsed.images)
        if not problems and not any(image.objects for image in parsed.images):
            fix = "annotate images before training"
            problems.append(Problem(None, None, "holds no object", fix, "warning", "empty"))

    def _image_problems(self, path: Path, image: ImageRecord, seen: Seen) -> list[Problem]:
        problems: list[Problem] = []
        objects = boxed_objects(image, problems.append)
        problems += object_problems(image, objects)
        read = read_pixels(image, problems.append)
        if read is None:
            return problems
        gray = read.gray
        problems += pixel_problems(image, read)
        content = hashlib.sha256(f"{gray.dtype} {gray.shape}".encode() + gray.tobytes()).digest()
        problems += seen.problems(image, content)
        problems += contrast_problem(image, gray)
        if gray.shape != (image.height, image.width):
            return problems
        measures = measure(gray, objects)
        if measures is not None:
            problems += measured_problems(image, measures)
            problems += on_its_side(image)
        self._sizes.add(len(self._images), objects)
        self._contents.append(content)
        self._fingerprints.add(fingerprint(gray))
        sided = shows_its_side([item for item in objects if item.is_tooth])
        self._images.append(CheckedImage(path, image, measures, sided))
        return problems

    def result(self) -> Check:
        """With the problems that show only beside all other images."""
        values = [image.measures.sharpness for image in self._images if image.measures is not None]
        least, least_untagged = (least_sharpness(np.array(values), share) for share in (WARNING_SHARE, TAG_SHARE))
        found = [
            *self._odd_sizes(),
            *self._blurred(least),
            *self._upside_down(),
            *same_images([(each.dataset, each.record) for each in self._images], self._contents, self._fingerprints),
        ]
        for picture, problem in sorted(found, key=lambda item: item[0]):
            self._problems[self._images[picture].dataset].append(problem)
        tagged = (
            image if image.measures is None else replace(image, tags=suggested_tags(image.measures, least_untagged))
            for image in self._images
        )
        return Check(self._problems, tuple(tagged), self._objects)

    def _odd_sizes(self) -> Iterator[tuple[int, Problem]]:
        for odd in self._sizes.odd():
            times = f"{odd.factor:.1f} times" if odd.factor > 1 else f"{odd.factor:.0%} of"
            what = f"its mask has {times} the usual size of a tooth {odd.number}, beside the others of its image"
            fix = "look at its mask and its number"
            image = self._images[odd.picture].record.id
            yield odd.picture, Problem(image, odd.annotation, what, fix, "warning", "size")

    def _blurred(self, least: float) -> Iterator[tuple[int, Problem]]:
        for place, image in enumerate(self._images):
            if image.measures is not None and image.measures.sharpness < least:
                sharp = f"its sharpness is {image.measures.sharpness:.2f}, from {least:.2f} on it is not"
                what = f"{image.record.file_name} is blurred: {sharp}"
                fix = "look whether it can be annotated"
                yield place, Problem(image.record.id, None, what, fix, "warning", "sharpness")

    def _upside_down(self) -> Iterator[tuple[int, Problem]]:
        known = {
            (path, found.image) for path, all in self._problems.items() for found in all if found.kind == "turned"
        }
        for place in np.flatnonzero(upside_down(self._fingerprints.details())):
            image = self._images[place]
            if image.measures is not None and (image.dataset, image.record.id) not in known:
                what = f"{image.record.file_name} resembles the other images more when it is turned upside down"
                fix = "turn it, where it is"
                yield int(place), Problem(image.record.id, None, what, fix, "warning", "turned")


def _passed_over(parsed: Parsed) -> Iterator[Problem]:
    """A warning for each annotation, but one for all crowds: CVAT may write every mask as a crowd."""
    crowds = [item for item in parsed.passed_over if item.reason is Reason.crowd]
    for line in lines(crowds):
        what, _, fix = line.rpartition("; ")
        yield Problem(None, None, what, fix, "warning", "passed-over")
    for item in parsed.passed_over:
        if item.reason is not Reason.crowd:
            what, fix = f"it {DESCRIPTIONS[item.reason]}", FIXES[item.reason]
            yield Problem(item.image, item.annotation, what, fix, "warning", "passed-over")
