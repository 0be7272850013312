"""A sample of a whole image."""

from __future__ import annotations

import numpy as np

from dentasam.model.core.frame import Frame
from dentasam.model.embedding import EncoderOutput
from dentasam.training.samples.augmentation import UNCHANGED, Variation, vary_category, vary_image
from dentasam.training.samples.embedding_cache import EmbeddingCache, Encoded
from dentasam.training.samples.full_image import frame_matrix
from dentasam.training.samples.sample import Sample
from dentasam.training.samples.sources import Case
from dentasam.training.samples.visible_objects import (
    choose,
    clickable,
    filled_up,
    grid_coverage,
    half_visible,
    to_logits,
)


def whole_sample(
    case: Case,
    variation: Variation = UNCHANGED,
    objects: int | None = None,
    rng: np.random.Generator | None = None,
    position: int = 0,
    cache: EmbeddingCache | None = None,
    random_first: float | None = None,
    fill_up: bool = False,
) -> Sample:
    """The whole image with up to `objects` objects, drawn by `rng`; without either, all of them.

    Where the cache holds the encoder's output for the image, the sample has it in place of pixels.
    random_first: for a sample with its objects at full resolution, how many of their first clicks are anywhere inside
    them. The variation may then not move any pixel. fill_up: repeat objects where there are fewer.
    """
    frame = case.frame
    coverage = grid_coverage(case, variation)
    visible = half_visible(coverage.sum(dim=(1, 2)), case, variation) & clickable(coverage)
    chosen = choose(visible, objects, rng)
    if fill_up and objects is not None:
        chosen = filled_up(chosen, objects)
    masks = to_logits(coverage[chosen])
    categories = tuple(vary_category(case.categories[index], variation) for index in chosen.tolist())
    pixels, output, key = None, None, None
    if cache is not None and case.sha256:
        key = cache.key(case.sha256, variation.flip)
        output = cache.load(key)
        if output is not None and not _fits(output, frame):
            output = None
    if output is None:
        pixels = frame.normalised(vary_image(case.image(), variation))
    full = None
    if random_first is not None:
        assert case.full is not None, "the source was not asked for full images"
        assert rng is not None
        full = case.full.objects(chosen.numpy(), frame_matrix(frame), random_first, rng, variation.exposure)
    return Sample(pixels, output, frame, masks, categories, position, key, full)


def _fits(output: Encoded, frame: Frame) -> bool:
    """Whether a stored output has the frame's shape; an early stage's grid is finer by the same factor both ways."""
    height, width = (output.features if isinstance(output, EncoderOutput) else output.tokens).shape[-2:]
    return height * frame.cols == width * frame.rows and height % frame.rows == 0
