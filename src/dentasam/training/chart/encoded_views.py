"""All views of a run, encoded into the store where they are not there yet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dentasam.data.dataset import Dataset
from dentasam.data.phantom import CONDITIONS, generate
from dentasam.data.record import ImageRecord
from dentasam.model.chart.dentition import IMPLANT
from dentasam.model.checkpoints.reading import sha256_of
from dentasam.model.core.frame import PREPROCESSING, Frame
from dentasam.model.core.precision import arithmetic
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.segmenter import Segmenter
from dentasam.progress import Update
from dentasam.training.chart.view_store import EncodedView, ViewStore
from dentasam.training.chart.views import View, outlines, unvaried_view, varied_view
from dentasam.training.recipe.chart_recipe import ChartRecipe

# Aspect ratios of the phantoms' films.
_ASPECTS = (1.65, 2.3)
_VIEW_STREAM, _PHANTOM_STREAM = 21, 22
# Phantoms of a run have seeds from here on, beyond those that tests and benchmarks use.
_FIRST_PHANTOM = 2_000_000


def encode_views(
    recipe: ChartRecipe, segmenter: Segmenter, training: Dataset, store: ViewStore, update: Update
) -> list[Path]:
    """Encode the views that are missing, and return the files of all: of the training images, then of phantoms.

    Raises DatasetError, ImageError and OutputError.
    """
    adapter = segmenter.adapters.identity()
    hashes = (adapter.weights_sha256, adapter.settings_sha256) if adapter else None
    model = (PREPROCESSING, segmenter.info.sha256, hashes)
    changes = (recipe.layout.model_dump_json(), recipe.augmentation.model_dump_json(), recipe.seed)
    drawn = recipe.views.model_dump_json(include={"widths", "conditions_share"})
    annotated = any(one.category == IMPLANT for image in training.images for one in image.objects)
    contents = [
        (sha256_of(image.path), [(one.category, one.segmentation) for one in image.objects])
        for image in training.images
    ]
    total = recipe.views.per_image * len(training.images) + recipe.views.phantoms
    paths: list[Path] = []
    for number in range(recipe.views.per_image):
        for image, content in zip(training.images, contents, strict=True):
            path = store.path(model, changes if number else None, content, number, annotated)
            if not store.has(path):
                store.write(path, _encoded(segmenter, view_of(recipe, image, number), annotated))
            paths.append(path)
            update(len(paths), total)
    for number in range(recipe.views.phantoms):
        path = store.path(model, changes, "phantom", number, drawn)
        if not store.has(path):
            store.write(path, _encoded(segmenter, phantom_view(recipe, number), annotated=True))
        paths.append(path)
        update(len(paths), total)
    return paths


def view_of(recipe: ChartRecipe, image: ImageRecord, number: int) -> View:
    """A view of a training image, the same at every call: the image as it is for 0, varied for others."""
    objects = outlines(image.masks(), [one.category for one in image.objects])
    if number == 0:
        return unvaried_view(image.read(), objects)
    # A COCO file may have ids below 0, a seed may not.
    rng = np.random.default_rng([_VIEW_STREAM, recipe.seed, number, image.id % 2**63])
    return varied_view(image.read(), objects, recipe.layout, recipe.augmentation, rng)


def phantom_view(recipe: ChartRecipe, number: int) -> View:
    """A view of a phantom, the same at every call."""
    rng = np.random.default_rng([_PHANTOM_STREAM, recipe.seed, number])
    width = int(rng.integers(*recipe.views.widths, endpoint=True))
    height = int(width / rng.uniform(*_ASPECTS))
    hard = [str(rng.choice(CONDITIONS))] if rng.random() < recipe.views.conditions_share else []
    seed = _FIRST_PHANTOM + 100_000 * recipe.seed + number
    phantom = generate(seed, width, height, hard, dentition="any", layout="any")
    objects = outlines(np.stack([one.mask for one in phantom.objects]), [one.category for one in phantom.objects])
    return varied_view(phantom.image, objects, recipe.layout, recipe.augmentation, rng)


def _encoded(segmenter: Segmenter, view: View, annotated: bool) -> EncodedView:
    gray, frame, targets = view
    return EncodedView.of(_embedding(segmenter, gray, frame), targets, annotated)


@torch.inference_mode()
def _embedding(segmenter: Segmenter, gray: np.ndarray, frame: Frame) -> ImageEmbedding:
    """The embedding of gray values (h, w) at their frame's size."""
    pixels = frame.normalised(torch.from_numpy(np.ascontiguousarray(gray)))
    with arithmetic(segmenter.autocast, segmenter.device):
        return segmenter.model.encode(pixels.to(segmenter.device), frame).to("cpu", torch.float32)
