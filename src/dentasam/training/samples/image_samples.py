"""The sampler over the images of a source: which image, which variation, whole or a crop, which objects.

Another kind of sample is a module like `whole_image.py` or `crop.py` and a branch in `TrainingSamples.sample`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch.utils.data import Dataset

from dentasam.training.recipe.step_plan import RunPlan, StepPlan
from dentasam.training.samples.augmentation import draw
from dentasam.training.samples.crop import MAX_CROP_TRIES, crop_sample
from dentasam.training.samples.embedding_cache import EmbeddingCache
from dentasam.training.samples.sample import Sample
from dentasam.training.samples.sources import Source
from dentasam.training.samples.whole_image import whole_sample

# Streams of random numbers that are independent of each other for the same seed.
_ORDER_STREAM, _VARIATION_STREAM, _CROP_STREAM, _OBJECT_STREAM = 1, 2, 3, 4


class TrainingSamples(Dataset[list[Sample]]):
    """Item `step` is the list of this process's samples of that optimiser step, see `StepSamples`."""

    def __init__(
        self,
        source: Source,
        plan: RunPlan,
        rank: int = 0,
        processes: int = 1,
        cache: EmbeddingCache | None = None,
    ) -> None:
        self.source = source
        self.plan = plan
        self.rank = rank
        self.processes = processes
        self.cache = cache
        self._order: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return self.plan.total_steps

    def __getitem__(self, step: int) -> list[Sample]:
        plan = self.plan.at(step)
        positions = np.array_split(np.arange(plan.images), self.processes)[self.rank]
        return [self.sample(plan, int(position)) for position in positions]

    def sample(self, plan: StepPlan, position: int) -> Sample:
        """The sample at a position of a step's batch."""
        recipe = self.plan.recipe
        epoch, place = divmod(plan.number * plan.images + position, len(self.source))
        index = int(self._permutation(epoch)[place])
        case = self.source.case(index, epoch)
        variation = draw(recipe.augmentation, np.random.default_rng([_VARIATION_STREAM, recipe.seed, epoch, index]))
        rng = np.random.default_rng([_OBJECT_STREAM, recipe.seed, epoch, index])
        if plan.object_windows is not None:
            # The windows are mirrored, rotated and scaled one by one; what they show is moved once.
            unmoved = replace(variation, flip=False, angle=0.0, scale=1.0)
            first = plan.object_windows.random_first
            return whole_sample(case, unmoved, plan.objects_per_image, rng, position, self.cache, first, fill_up=True)
        if plan.crop is None:
            return whole_sample(case, variation, plan.objects_per_image, rng, position, self.cache)
        # The step's images share these places, so that most of them get the same crop and can be encoded together.
        places = np.random.default_rng([_CROP_STREAM, recipe.seed, plan.number]).random((MAX_CROP_TRIES, 2))
        return crop_sample(case, variation, plan.crop, plan.objects_per_image, places, rng, position)

    def _permutation(self, epoch: int) -> np.ndarray:
        """The order of the images in an epoch."""
        if self._order is None or self._order[0] != epoch:
            rng = np.random.default_rng([_ORDER_STREAM, self.plan.recipe.seed, epoch])
            self._order = epoch, rng.permutation(len(self.source))
        return self._order[1]
