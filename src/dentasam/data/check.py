"""Everything that is wrong or doubtful in a dataset, each with its fix: what `dentasam data check` lists."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dentasam.data.coco.parse import Parsed, parse
from dentasam.data.coco.passed_over import DESCRIPTIONS, FIXES, Reason, lines
from dentasam.data.coco.problem import Problem
from dentasam.data.images.orientation import FIX_OF_TAG, not_applied, wrong_size
from dentasam.data.images.read import read_header, read_image
from dentasam.data.masks import rle
from dentasam.data.masks.segmentation import polygon_box
from dentasam.data.notices import collected_notices
from dentasam.data.record import ImageRecord
from dentasam.data.teeth import arch_order
from dentasam.errors import DatasetError, ImageError
from dentasam.model.core.gray_range import spread

# A smaller object is probably a slip of the mouse: a molar covers about 0.6 % of a panoramic.
MIN_OBJECT_PIXELS, MIN_OBJECT_SHARE = 16, 5e-5
# Between the 1st and 99th percentile, as a share of the range of 8 or 16 bits; radiographs use over half.
MIN_CONTRAST = 0.08
# Pixels. A box that was made from a polygon, or rounded, differs from the box around the mask by less.
BOX_TOLERANCE = 2.0
PERMANENT_TEETH = frozenset(f"{quadrant}{tooth}" for quadrant in range(1, 5) for tooth in range(1, 9))
DECIDUOUS_TEETH = frozenset(f"{quadrant}{tooth}" for quadrant in range(5, 9) for tooth in range(1, 6))
FDI_NUMBERS = PERMANENT_TEETH | DECIDUOUS_TEETH


def find_problems(
    path: str | Path,
    images: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Problem]:
    """Lists the errors of a dataset, at which `Dataset.load` or training would stop, and warnings.

    Unlike `Dataset.load` it continues after an error, and reads every image and mask: unreadable images, images
    of another size, masks that do not fit. Warnings: the same image twice, a tooth number twice in one image,
    tiny objects, a box that is not around its mask, an image that uses little of its gray range or has an
    orientation tag, what was assumed to read it, annotations and parts of them that are passed over, teeth that are
    not in the order of the arch.
    images: as for `Dataset.load`. progress: takes the number of images done and of all.
    """
    problems: list[Problem] = []
    parsed = parse(Path(os.path.abspath(path)), problems.append, None if images is None else Path(images))
    problems += _passed_over(parsed)
    seen: dict[str, ImageRecord] = {}
    for done, image in enumerate(parsed.images, start=1):
        problems += _object_problems(image)
        problems += _pixel_problems(image, seen)
        progress(done, len(parsed.images))
    if not problems and not any(image.objects for image in parsed.images):
        problems.append(Problem(None, None, "holds no object", "annotate images before training", "warning"))
    return problems


def _passed_over(parsed: Parsed) -> Iterator[Problem]:
    """A warning for each annotation, but one for all crowds: CVAT may write every mask as a crowd."""
    crowds = [item for item in parsed.passed_over if item.reason is Reason.crowd]
    for line in lines(crowds):
        what, _, fix = line.rpartition("; ")
        yield Problem(None, None, what, fix, "warning")
    for item in parsed.passed_over:
        if item.reason is not Reason.crowd:
            what, fix = f"it {DESCRIPTIONS[item.reason]}", FIXES[item.reason]
            yield Problem(item.image, item.annotation, what, fix, "warning")


def _pixel_problems(image: ImageRecord, seen: dict[str, ImageRecord]) -> Iterator[Problem]:
    try:
        with collected_notices() as notices:
            pixels = spread(read_image(image.path))
            header = read_header(image.path)
    except ImageError as error:
        what, _, fix = str(error).rpartition("; ")
        yield Problem(image.id, None, what, fix)
        return
    wanted = image.height, image.width
    if pixels.shape != wanted:
        what, fix = wrong_size(image.file_name, pixels.shape, wanted, header.orientation)
        yield Problem(image.id, None, what, fix)
    for text in notices:
        fix = FIX_OF_TAG if text == not_applied(header.orientation) else "look at it before you use it"
        yield Problem(image.id, None, f"{image.file_name} {text}", fix, "warning")
    content = hashlib.sha256(f"{pixels.dtype} {pixels.shape}".encode() + pixels.tobytes()).hexdigest()
    first = seen.setdefault(content, image)
    if first is not image:
        what = f"{image.file_name} is the same image as {first.file_name} (image {first.id})"
        yield Problem(image.id, None, what, "keep one, or both would be split apart", "warning")
    low, high = np.percentile(pixels, (1, 99))
    share = (high - low) / np.iinfo(pixels.dtype).max
    if share < MIN_CONTRAST:
        what = f"{image.file_name} uses {share:.1%} of its gray range"
        yield Problem(image.id, None, what, "export it with its window applied", "warning")


def _object_problems(image: ImageRecord) -> Iterator[Problem]:
    teeth = Counter(record.category for record in image.objects if record.category in FDI_NUMBERS)
    for number in sorted(number for number, count in teeth.items() if count > 1):
        what = f"tooth {number} is there {teeth[number]} times"
        yield Problem(image.id, None, what, "renumber or merge them", "warning")
    tiny = max(MIN_OBJECT_PIXELS, MIN_OBJECT_SHARE * image.height * image.width)
    boxes = []
    for record in image.objects:
        try:
            runs = record.runs(image.height, image.width)
        except DatasetError as error:
            what, _, fix = str(error).partition(": ")[2].rpartition("; ")
            yield Problem(image.id, record.id, what, fix)
            continue
        area, box = rle.area_of(runs), rle.box_of(runs, image.height)
        boxes.append((record.category, box))
        if area < tiny:
            what = f"its mask ({record.category}) has {area} pixels"
            yield Problem(image.id, record.id, what, "delete it if it is a slip", "warning")
        if isinstance(record.segmentation, list) and record.bbox == polygon_box(record.segmentation):
            # The box of the outline, as tools write it, and as it is made here where the file has none.
            continue
        corners = zip(_corners(record.bbox), _corners(box), strict=True)
        if max(abs(given - own) for given, own in corners) > BOX_TOLERANCE:
            what = f"its bbox {_shown(record.bbox)} is not the one around its mask, {_shown(box)}"
            yield Problem(image.id, record.id, what, "correct or delete the bbox", "warning")
    yield from _order_problems(image, boxes)


def _order_problems(image: ImageRecord, boxes: list[tuple[str, arch_order.Box]]) -> Iterator[Problem]:
    """Teeth that do not follow each other as in a mouth: one wrong number, or left and right exchanged."""
    exchanged = arch_order.exchanged_neighbours(boxes)
    if not exchanged:
        return
    if len(exchanged) > arch_order.neighbours(number for number, _ in boxes) / 2:
        what = "its tooth numbers run from the patient's left to the right"
        yield Problem(image.id, None, what, "mirror the image, or exchange left and right numbers", "warning")
        return
    for left, right in exchanged:
        what = f"tooth {left} lies to the right of {right}, against the order of the arch"
        yield Problem(image.id, None, what, "look whether their numbers are exchanged", "warning")


def _corners(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, width, height = box
    return left, top, left + width, top + height


def _shown(box: tuple[float, ...]) -> str:
    return f"[{', '.join(f'{value:g}' for value in box)}]"
