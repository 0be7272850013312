"""What is wrong or doubtful in the pixels of one image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dentasam.data.coco.problem import Problem, Report
from dentasam.data.images.orientation import FIX_OF_TAG, not_applied, wrong_size
from dentasam.data.images.read import read_header, read_image
from dentasam.data.notices import collected_notices
from dentasam.data.quality.pixels.image_measures import MIN_HEIGHT, MIN_WIDTH, ImageMeasures
from dentasam.data.record import ImageRecord
from dentasam.errors import ImageError
from dentasam.model.core.gray_range import spread

# Between the 1st and 99th percentile, as a share of the range of 8 or 16 bits; radiographs use over half.
MIN_CONTRAST = 0.08
# Of the range of grays in the jaws. Panoramics have 0.002 to 0.011; at this level grain hides the bone.
MAX_NOISE = 0.04
# Of the width or height: a constant border that is wider was cut off, or padded.
MAX_BLANK = 0.04
_EDGES = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class ReadPixels:
    """The image as it was read, and its notices. gray: (H, W) of 8 or 16 bits, spread over its range."""

    gray: np.ndarray
    orientation: int
    notices: Sequence[str]


def read_pixels(image: ImageRecord, report: Report) -> ReadPixels | None:
    """Reads the image; None, and an error is reported, where it cannot be read."""
    try:
        with collected_notices() as notices:
            gray = spread(read_image(image.path))
            header = read_header(image.path)
    except ImageError as error:
        what, _, fix = str(error).rpartition("; ")
        report(Problem(image.id, None, what, fix))
        return None
    return ReadPixels(gray, header.orientation, list(notices))


def pixel_problems(image: ImageRecord, read: ReadPixels) -> Iterator[Problem]:
    """Another size than the dataset's, what was assumed to read it, and an image on its side."""
    wanted = image.height, image.width
    if read.gray.shape != wanted:
        yield Problem(image.id, None, *wrong_size(image.file_name, read.gray.shape, wanted, read.orientation))
    for text in read.notices:
        fix = FIX_OF_TAG if text == not_applied(read.orientation) else "look at it before you use it"
        yield Problem(image.id, None, f"{image.file_name} {text}", fix, "warning", "reading")


def contrast_problem(image: ImageRecord, gray: np.ndarray) -> Iterator[Problem]:
    """An image that uses little of its gray range."""
    low, high = np.percentile(gray, (1, 99))
    share = (high - low) / np.iinfo(gray.dtype).max
    if share < MIN_CONTRAST:
        what = f"{image.file_name} uses {share:.1%} of its gray range"
        yield Problem(image.id, None, what, "export it with its window applied", "warning", "contrast")


def measured_problems(image: ImageRecord, measures: ImageMeasures) -> Iterator[Problem]:
    """Noise and blank borders."""
    if measures.noise > MAX_NOISE:
        what = f"{image.file_name} is noisy: the noise is {measures.noise:.1%} of the grays of the jaws"
        yield Problem(image.id, None, what, "look whether roots can still be seen", "warning", "noise")
    wide = [
        f"{share:.0%} at the {edge}" for share, edge in zip(measures.blank, _EDGES, strict=True) if share > MAX_BLANK
    ]
    if wide:
        what = f"{image.file_name} has a blank border: {', '.join(wide)}"
        yield Problem(image.id, None, what, "crop it, or export the whole radiograph", "warning", "blank-border")


def on_its_side(image: ImageRecord) -> Iterator[Problem]:
    """A panoramic is about twice as wide as high."""
    if image.height > image.width and image.height >= MIN_WIDTH and image.width >= MIN_HEIGHT:
        what = f"{image.file_name} is higher than wide, as a panoramic after a quarter turn"
        yield Problem(image.id, None, what, "turn the image and its masks upright", "warning", "turned")
