"""Masks for images from prompts. The next image is read and encoded while the objects of this one are decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dentasam.data.images.read import read_image
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.errors import PromptError

if TYPE_CHECKING:
    from dentasam.data.prompt_files.prompts import ObjectPrompt
    from dentasam.model.embedding import ImageEmbedding
    from dentasam.model.segmenter import Segmenter

# Masks at the image's resolution are held for this many objects at once: 60 MB at 2900x1250.
OBJECTS_PER_CALL = 16
# Detectors let a box reach over the image's edge by a little. A box that reaches further, as a share of the image's
# width or height, was made for an image of another size.
MAX_BOX_OVERHANG = 0.05


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


def predict_images(segmenter: Segmenter, wanted: Sequence[PromptedImage]) -> Iterator[PredictedImage]:
    """The images in their order, each as soon as it is finished.

    Raises ImageError where a file cannot be read, PromptError where a prompt lies outside its image.
    """
    with ThreadPoolExecutor(max_workers=1) as ahead:
        # One image ahead and no more, because its pixels and embeddings are kept in memory.
        coming = [ahead.submit(_encoded, segmenter, wanted[0])] if wanted else []
        for number, given in enumerate(wanted):
            (height, width), embedding = coming.pop().result()
            if number + 1 < len(wanted):
                coming.append(ahead.submit(_encoded, segmenter, wanted[number + 1]))
            masks, scores = predict_objects(segmenter, embedding, given.objects)
            found = [place for place, mask in enumerate(masks) if mask.any()]
            objects = tuple(
                ObjectRecord.from_mask(number, given.objects[place].category, masks[place])
                for number, place in enumerate(found, start=1)
            )
            record = ImageRecord(1, given.path.resolve(), given.name, width, height, objects=objects)
            missing = tuple(place + 1 for place in range(len(masks)) if place not in found)
            yield PredictedImage(record, tuple(scores[place] for place in found), missing)


def predict_objects(
    segmenter: Segmenter, embedding: ImageEmbedding, wanted: Sequence[ObjectPrompt]
) -> tuple[list[np.ndarray], list[float]]:
    """A mask (H, W) bool and its predicted IoU for each object, in their order.

    Clicks are given one at a time, each with the logits of the mask before it, as in training and evaluation. Objects
    with the same number of clicks are decoded together, so that no list of clicks is padded.
    """
    groups: dict[tuple[int, bool], list[int]] = {}
    for index, prompt in enumerate(wanted):
        groups.setdefault((len(prompt.clicks), prompt.box is None), []).append(index)
    masks: dict[int, np.ndarray] = {}
    scores: dict[int, float] = {}
    for (clicks, boxless), members in groups.items():
        for start in range(0, len(members), OBJECTS_PER_CALL):
            part = members[start : start + OBJECTS_PER_CALL]
            given = np.array([wanted[i].clicks for i in part], dtype=np.float64).reshape(len(part), clicks, 3)
            boxes = None if boxless else np.array([wanted[i].box for i in part], dtype=np.float64)
            logits = None
            for shown in range(min(1, clicks), clicks + 1):
                prediction = segmenter.predict(
                    embedding,
                    given[:, :shown, :2],
                    given[:, :shown, 2].astype(np.int64),
                    boxes=boxes,
                    logits=logits,
                )
                logits = prediction.logits
            masks.update(zip(part, prediction.masks, strict=True))
            scores.update(zip(part, map(float, prediction.scores), strict=True))
    return [masks[index] for index in range(len(wanted))], [scores[index] for index in range(len(wanted))]


def _encoded(segmenter: Segmenter, wanted: PromptedImage) -> tuple[tuple[int, int], ImageEmbedding]:
    image = read_image(wanted.path)
    _check_inside(wanted, *image.shape)
    return image.shape, segmenter.encode(image)


def _check_inside(wanted: PromptedImage, height: int, width: int) -> None:
    """Raises PromptError for a click outside the image or a box that misses it; neither is clipped."""
    size = f"the image of {width}x{height}"
    for number, given in enumerate(wanted.objects, start=1):
        for x, y, _ in given.clicks:
            if not (0 <= x < width and 0 <= y < height):
                raise PromptError(f"{wanted.path}, object {number}: click {x:g},{y:g} lies outside {size}")
        if given.box is not None:
            x0, y0, x1, y1 = given.box
            box = f"{x0:g},{y0:g},{x1:g},{y1:g}"
            if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
                raise PromptError(f"{wanted.path}, object {number}: box {box} lies outside {size}")
            over = max(-x0 / width, -y0 / height, x1 / width - 1, y1 / height - 1)
            if over > MAX_BOX_OVERHANG:
                raise PromptError(
                    f"{wanted.path}, object {number}: box {box} reaches far beyond {size}; "
                    "make it at the image's size"
                )
