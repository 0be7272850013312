"""The validation score: the click curve of a few images, clicked as in evaluation.

Dice is taken at logit resolution, which is fast and good enough to rank checkpoints. `dentasam evaluate` measures at
the image's own resolution. Recipes with object windows are measured in them, by `window_validation.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dentasam.model.core.precision import arithmetic
from dentasam.model.core.prompt import LOGIT_LIMIT, Prompts
from dentasam.model.embedding import EncoderOutput, ImageEmbedding
from dentasam.model.sam_hq import SamHQ
from dentasam.prompts.tensor_correction_clicks import correction_clicks, interior_centre
from dentasam.training.recipe.settings import Recipe
from dentasam.training.samples.embedding_cache import EmbeddingCache
from dentasam.training.samples.sample import Sample
from dentasam.training.samples.sources import Source
from dentasam.training.samples.whole_image import whole_sample
from dentasam.training.step.click_through import corrected
from dentasam.training.step.first_prompts import in_frame
from dentasam.training.step.loss import hard_dice

# A stream of random numbers, different from those of the samplers.
_OBJECT_STREAM = 5


@dataclass(frozen=True)
class CurveSums:
    """Dice after each click, (clicks,), summed over objects, so that curves of several images or processes add up.

    unheeded: how many of the `given` clicks the mask after them contradicts, where that is counted.
    """

    dice: np.ndarray
    objects: int
    unheeded: int = 0
    given: int = 0

    @property
    def dice_at_clicks(self) -> list[float]:
        """Mean Dice after each click."""
        return (self.dice / max(self.objects, 1)).tolist()

    @property
    def score(self) -> float:
        """Mean of Dice@1 … Dice@k."""
        return float(np.mean(self.dice_at_clicks))


def validation_samples(
    source: Source, recipe: Recipe, cache: EmbeddingCache | None = None, rank: int = 0, processes: int = 1
) -> Iterator[Sample]:
    """This process's share of the validation images: always the same, spread evenly over the source."""
    first = 0.0 if recipe.trains_object_windows else None
    count = min(recipe.validation.images, len(source))
    indices = np.unique(np.linspace(0, len(source) - 1, count).round().astype(int))
    for index in indices[rank::processes].tolist():
        rng = np.random.default_rng([_OBJECT_STREAM, index])
        yield whole_sample(
            source.case(index, 0), objects=recipe.objects_per_image, rng=rng, cache=cache, random_first=first
        )


@torch.no_grad()
def click_curve(
    model: SamHQ,
    samples: Iterator[Sample],
    clicks: int,
    encode: Callable[[Sample], EncoderOutput],
    autocast: torch.dtype | None = None,
) -> CurveSums:
    """Click through all samples with the model as it is; the caller sets it to evaluation mode.

    encode: gives the encoder's output for a sample.
    """
    summed, objects = np.zeros(clicks), 0
    for sample in samples:
        if len(sample.masks) == 0:
            continue
        with arithmetic(autocast, model.device):
            embedding = model.prepare(encode(sample), sample.frame)
            summed += _curve_of(model, embedding, sample, clicks)
        objects += len(sample.masks)
    return CurveSums(summed, objects)


def _curve_of(model: SamHQ, embedding: ImageEmbedding, sample: Sample, clicks: int) -> np.ndarray:
    """Summed Dice after each click, (clicks,)."""
    frame, coverage = sample.frame, sample.masks.to(model.device)
    truth = coverage > 0.5
    points = in_frame(interior_centre(truth), frame)[:, None]
    prompts = Prompts(points, torch.ones(points.shape[:2], dtype=torch.long, device=model.device))
    curve: list[Tensor] = []
    dice = torch.zeros(len(truth), device=model.device)
    perfect = torch.zeros(len(truth), dtype=torch.bool, device=model.device)
    for click in range(clicks):
        prediction = model.decode(embedding, prompts)
        logits = prediction.logits.float().clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
        dice = torch.where(perfect, dice, hard_dice(logits, coverage))
        curve.append(dice.sum())
        if click + 1 < clicks:
            correction = correction_clicks(logits > 0, truth)
            # An object whose mask is perfect gets no further click and keeps its result.
            perfect = perfect | ~correction.found
            prompts = corrected(prompts, correction, logits, frame)
    return torch.stack(curve).cpu().numpy().astype(np.float64)
