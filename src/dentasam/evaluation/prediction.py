"""Masks for images from prompts. The next image is read and encoded while the objects of this one are decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dentasam.data.images.read import read_image
from dentasam.data.masks import rle
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.data.teeth.category_kind import is_part
from dentasam.errors import PromptError
from dentasam.evaluation.pixel_budget import PixelBudget, pixels_of, return_huge

if TYPE_CHECKING:
    from dentasam.data.prompt_files.prompts import ObjectPrompt
    from dentasam.model.segmenter import Segmenter
    from dentasam.model.windows.objects import ObjectAnswer
    from dentasam.model.windows.windowed_image import WindowedImage

# Detectors let a box reach over the image's edge by a little. A box that reaches further, as a share of the image's
# width or height, was made for an image of another size.
MAX_BOX_OVERHANG = 0.05
# Masks that are held at a time, should each cover the image, and objects, whose windows are kept: a chart has 52.
MASK_BYTES, MAX_OBJECTS_AT_ONCE = 500_000_000, 128


@dataclass(frozen=True)
class PromptedImage:
    """An image's file, its name in the result, and the prompts of its objects."""

    path: Path
    name: str
    objects: tuple[ObjectPrompt, ...]


@dataclass(frozen=True)
class PredictedImage:
    """An image with the masks that were found.

    record: its objects are numbered from 1. scores: of these objects. missing: which prompts, counted from 1, gave an
    empty mask.
    """

    record: ImageRecord
    scores: tuple[float, ...]
    missing: tuple[int, ...]

    def numbered(self, image_id: int, first_object: int) -> PredictedImage:
        """The same with the numbers that the image and its objects have in a dataset."""
        objects = tuple(replace(item, id=first_object + place) for place, item in enumerate(self.record.objects))
        return replace(self, record=replace(self.record, id=image_id, objects=objects))


def predict_images(
    segmenter: Segmenter, wanted: Sequence[PromptedImage], windows: bool = True, repair: bool = True
) -> Iterator[PredictedImage]:
    """The images in their order, each as soon as it is finished.

    windows: decode each object in a window cut from the image's own pixels, where the model can. repair: enforce
    clicks that the mask still contradicts.
    Raises ImageError where a file cannot be read, PromptError where a prompt lies outside its image.
    """
    with ThreadPoolExecutor(max_workers=1) as ahead:
        budget = PixelBudget()

        def encoded(given: PromptedImage) -> tuple[WindowedImage, int]:
            pixels = pixels_of(given.path)
            budget.take(pixels)
            try:
                return _encoded(segmenter, given, windows, repair), pixels
            except BaseException:
                budget.give_back(pixels)
                raise

        # One image ahead and no more, because its pixels and embeddings are kept in memory; none beside a huge one.
        coming = [ahead.submit(encoded, wanted[0])] if wanted else []
        for number, given in enumerate(wanted):
            view, pixels = coming.pop().result()
            try:
                if number + 1 < len(wanted):
                    coming.append(ahead.submit(encoded, wanted[number + 1]))
                predicted = _predicted(view, given)
            finally:
                del view
                budget.give_back(pixels)
            yield predicted


def _predicted(view: WindowedImage, given: PromptedImage) -> PredictedImage:
    """The objects of an image, so many at a time that their masks fit into memory."""
    height, width = view.frame.height, view.frame.width
    objects: list[ObjectRecord] = []
    scores: list[float] = []
    missing: list[int] = []
    at_once = _objects_at_once(height, width)
    for start in range(0, len(given.objects), at_once):
        part = given.objects[start : start + at_once]
        for place, (prompt, answer) in enumerate(zip(part, predict_objects(view, part), strict=True), start + 1):
            if not answer.mask.bits.any():
                missing.append(place)
                continue
            runs = rle.encode_box(*answer.mask, height, width)
            objects.append(ObjectRecord.from_runs(len(objects) + 1, prompt.category, runs, height, width))
            scores.append(answer.score)
    record = ImageRecord(1, given.path.resolve(), given.name, width, height, objects=tuple(objects))
    return PredictedImage(record, tuple(scores), tuple(missing))


def _objects_at_once(height: int, width: int) -> int:
    return min(MAX_OBJECTS_AT_ONCE, max(1, MASK_BYTES // (height * width)))


def predict_objects(view: WindowedImage, wanted: Sequence[ObjectPrompt]) -> list[ObjectAnswer]:
    """The answer for each object, in their order.

    Clicks are given one at a time, each with the answer before it, as in training and evaluation.
    """
    from dentasam.model.windows import objects as asked

    answers: dict[int, ObjectAnswer] = {}
    # A box says how large the object is. Only object windows have the choice between a tooth and its part.
    parts = [view.uses_windows and prompt.box is None and is_part(prompt.category) for prompt in wanted]
    # An object without a click has a box, and is decoded once.
    decodes = [max(1, len(prompt.clicks)) for prompt in wanted]
    for step in range(1, max(decodes, default=0) + 1):
        part = [i for i, count in enumerate(decodes) if count >= step]
        clicks = [np.array(wanted[i].clicks[:step], np.float64).reshape(-1, 3) for i in part]
        prompts = [
            asked.ObjectPrompt(rows, wanted[i].box, answers.get(i), prefer_part=parts[i])
            for i, rows in zip(part, clicks, strict=True)
        ]
        answers |= zip(part, view.decode(prompts), strict=True)
    return [answers[index] for index in range(len(wanted))]


def _encoded(segmenter: Segmenter, wanted: PromptedImage, windows: bool, repair: bool) -> WindowedImage:
    image = read_image(wanted.path)
    _check_inside(wanted, *image.shape)
    embedding = segmenter.encode(image)
    return_huge(image.size)
    objects = min(len(wanted.objects), _objects_at_once(*image.shape))
    return segmenter.windows(image, embedding, windows=windows, repair=repair, objects=objects)


def _check_inside(wanted: PromptedImage, height: int, width: int) -> None:
    """Raises PromptError for a click outside the image or a box that misses it; neither is clipped."""
    size = f"the image of {width}x{height}"
    for number, given in enumerate(wanted.objects, start=1):
        for x, y, _ in given.clicks:
            if not (0 <= x < width and 0 <= y < height):
                raise PromptError(
                    f"{wanted.path}, object {number}: click {x:g},{y:g} lies outside {size}; "
                    "correct it in the prompts"
                )
        if given.box is not None:
            x0, y0, x1, y1 = given.box
            box = f"{x0:g},{y0:g},{x1:g},{y1:g}"
            if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
                raise PromptError(
                    f"{wanted.path}, object {number}: box {box} lies outside {size}; correct it in the prompts"
                )
            over = max(-x0 / width, -y0 / height, x1 / width - 1, y1 / height - 1)
            if over > MAX_BOX_OVERHANG:
                raise PromptError(
                    f"{wanted.path}, object {number}: box {box} reaches far beyond {size}; "
                    "make it at the image's size"
                )
