"""Training samples, step by step.

Everything about a sample follows from the seed, the step, and its place in the step's batch: the image, its
variation, the window, the objects. So the sampler's position is the step alone, a resumed run continues with
the samples it would have seen, and several processes share out the batch that a single one would take.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dentasam.model.core.frame import LOGIT_STRIDE, PATCH, Frame
from dentasam.model.embedding import EncoderOutput
from dentasam.training.recipe import Recipe
from dentasam.training.samples.augmentation import Variation, draw, vary_category, vary_image, vary_masks
from dentasam.training.samples.embedding_cache import EmbeddingCache, Encoded
from dentasam.training.samples.sources import MASK_STRIDE, Case, Source

# Streams of random numbers, apart from each other for the same seed.
_ORDER, _VARIATION, _WINDOW, _OBJECTS = 1, 2, 3, 4
_WINDOWS_TRIED = 64
_ENOUGH_OBJECTS = 3
_AHEAD = 2
UNCHANGED = Variation()


@dataclass(frozen=True)
class Sample:
    """One image, whole or a window of it, with the objects to train on.

    pixels: (1, 3, 16 rows, 16 cols); None where `output` holds what the encoder's frozen part gave for them earlier.
    masks: (P, 4 rows, 4 cols) float32 coverage; P may be 0.
    position: place in the step's batch over all processes; seeds what is drawn while training on it.
    cache_key: where to keep the encoder's output, None if it is not to be kept.
    """

    pixels: Tensor | None
    output: Encoded | None
    frame: Frame
    masks: Tensor
    categories: tuple[str, ...]
    position: int
    cache_key: str | None = None

    def pin_memory(self) -> Sample:
        """The same sample in memory that a GPU copies from while the host goes on; torch's loader asks for it."""
        output = self.output
        if output is not None:
            parts = {name: part.pin_memory() for name, part in vars(output).items() if isinstance(part, Tensor)}
            output = replace(output, **parts)  # type: ignore[arg-type]
        pixels = None if self.pixels is None else self.pixels.pin_memory()
        return replace(self, pixels=pixels, output=output, masks=self.masks.pin_memory())


class TrainingSamples(Dataset[list[Sample]]):
    """Item `step` is the list of this process's samples of that optimiser step."""

    def __init__(
        self,
        source: Source,
        recipe: Recipe,
        total_steps: int,
        rank: int = 0,
        processes: int = 1,
        cache: EmbeddingCache | None = None,
    ) -> None:
        self.source = source
        self.recipe = recipe
        self.total_steps = total_steps
        self.rank = rank
        self.processes = processes
        self.cache = cache
        self._order: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return self.total_steps

    def __getitem__(self, step: int) -> list[Sample]:
        positions = np.array_split(np.arange(self.recipe.batch_images), self.processes)[self.rank]
        return [self.sample(step, int(position)) for position in positions]

    def on_crops(self, step: int) -> bool:
        """Whether a step is one of those on crops, before those on whole images."""
        return step < round(self.recipe.crop.share * self.total_steps)

    def sample(self, step: int, position: int) -> Sample:
        """The sample at a position of a step's batch."""
        recipe = self.recipe
        epoch, place = divmod(step * recipe.batch_images + position, len(self.source))
        index = int(self._permutation(epoch)[place])
        case = self.source.case(index, epoch)
        variation = draw(recipe.augmentation, np.random.default_rng([_VARIATION, recipe.seed, epoch, index]))
        rng = np.random.default_rng([_OBJECTS, recipe.seed, epoch, index])
        if not self.on_crops(step):
            return whole_sample(case, variation, recipe.objects_per_image, rng, position, self.cache)
        # Shared by the step's images, so that most of them get the same window and can be encoded together.
        places = np.random.default_rng([_WINDOW, recipe.seed, step]).random((_WINDOWS_TRIED, 2))
        return window_sample(case, variation, recipe.crop.size, recipe.objects_per_image, places, rng, position)

    def _permutation(self, epoch: int) -> np.ndarray:
        if self._order is None or self._order[0] != epoch:
            rng = np.random.default_rng([_ORDER, self.recipe.seed, epoch])
            self._order = epoch, rng.permutation(len(self.source))
        return self._order[1]


def whole_sample(
    case: Case,
    variation: Variation = UNCHANGED,
    objects: int | None = None,
    rng: np.random.Generator | None = None,
    position: int = 0,
    cache: EmbeddingCache | None = None,
) -> Sample:
    """The whole image with up to `objects` objects, drawn by `rng`; without either, all of them."""
    frame = case.frame
    coverage = _grid_coverage(case, variation)
    chosen = _choose(_visible(coverage, case, variation), objects, rng)
    masks = _to_logits(coverage[chosen])
    categories = tuple(vary_category(case.categories[index], variation) for index in chosen.tolist())
    pixels, output, key = None, None, None
    if cache is not None and case.sha256:
        key = cache.key(case.sha256, variation.flip)
        output = cache.load(key)
        if output is not None and not _fits(output, frame):
            output = None
    if output is None:
        pixels = frame.normalised(vary_image(case.image(), variation))
    return Sample(pixels, output, frame, masks, categories, position, key)


def window_sample(
    case: Case,
    variation: Variation,
    size: int,
    objects: int,
    places: np.ndarray,
    rng: np.random.Generator,
    position: int = 0,
) -> Sample:
    """A window of `size` frame pixels with objects in it, at its own place in the frame.

    places: (n, 2) in 0..1, where to try a window among all places it can take on the token grid; the first
    with a few objects at least half visible is taken, else the one with most.
    """
    frame = case.frame
    tokens = size // PATCH
    rows, cols = min(tokens, frame.rows), min(tokens, frame.cols)
    coverage = _grid_coverage(case, variation)
    span = np.array([frame.rows - rows + 1, frame.cols - cols + 1])
    corners = np.minimum((places * span).astype(int), span - 1)
    per_token = PATCH // MASK_STRIDE
    in_tokens = F.avg_pool2d(coverage[:, None], per_token)[:, 0] * per_token**2  # (P, frame rows, frame cols)
    best: tuple[Tensor, int, int] | None = None
    for top, left in corners.tolist():
        inside = in_tokens[:, top : top + rows, left : left + cols].sum(dim=(1, 2))
        seen = _half_visible(inside, case, variation)
        if best is None or seen.sum() > best[0].sum():
            best = seen, top, left
        if seen.sum() >= _ENOUGH_OBJECTS:
            break
    assert best is not None
    seen, top, left = best
    fine_top, fine_left = top * per_token, left * per_token
    in_window = coverage[:, fine_top : fine_top + rows * per_token, fine_left : fine_left + cols * per_token]
    chosen = _choose(seen & _clickable(in_window), objects, rng)
    full = frame.normalised(vary_image(case.image(), variation))
    y, x, height, width = top * PATCH, left * PATCH, rows * PATCH, cols * PATCH
    window = Frame(height, width, 1.0, rows, cols, frame.top + top, frame.left + left)
    return Sample(
        full[..., y : y + height, x : x + width].contiguous(),
        None,
        window,
        _to_logits(in_window[chosen]),
        tuple(vary_category(case.categories[index], variation) for index in chosen.tolist()),
        position,
    )


def _fits(output: Encoded, frame: Frame) -> bool:
    """Whether a stored output has the frame's shape; an early stage's grid is finer by the same factor both ways."""
    height, width = (output.features if isinstance(output, EncoderOutput) else output.tokens).shape[-2:]
    return height * frame.cols == width * frame.rows and height % frame.rows == 0


class StepSamples(Protocol):
    """Item `step` is the list of this process's samples of that optimiser step."""

    recipe: Recipe
    total_steps: int

    def __len__(self) -> int: ...

    def __getitem__(self, step: int) -> list[Sample]: ...

    def on_crops(self, step: int) -> bool:
        """Whether a step is one of those on crops, before those on whole images."""


def step_loader(samples: StepSamples, first_step: int, pinned: bool = False) -> DataLoader[list[Sample]]:
    """Loads the steps from `first_step` to the last, in order, in the recipe's number of processes.

    Each process works `_AHEAD` steps ahead of the one that is taken. pinned: for copies to a GPU.
    """
    workers = samples.recipe.workers
    return DataLoader(
        cast(Dataset[list[Sample]], samples),
        batch_size=None,
        sampler=range(first_step, samples.total_steps),
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        pin_memory=pinned,
        worker_init_fn=_one_thread,
        generator=torch.Generator().manual_seed(samples.recipe.seed),
    )


def passes(samples: list[Sample], at_once: int) -> list[list[Sample]]:
    """Group samples that can go through the encoder together: those at one place of the frame, of one size.

    Samples without objects are left out; those with a stored encoder output stand alone.
    """
    groups: dict[tuple[int, ...], list[Sample]] = {}
    for sample in samples:
        if len(sample.masks) == 0:
            continue
        frame = sample.frame
        key: tuple[int, ...] = (frame.rows, frame.cols, frame.top, frame.left)
        if sample.cache_key is not None:
            key = (-1, sample.position)
        groups.setdefault(key, []).append(sample)
    return [group[start : start + at_once] for group in groups.values() for start in range(0, len(group), at_once)]


def _grid_coverage(case: Case, variation: Variation) -> Tensor:
    """Varied coverage of all objects on the padded mask grid, (P, 8 rows, 8 cols)."""
    varied = vary_masks(case.coverage(), variation, case.frame.size)
    per_token = PATCH // MASK_STRIDE
    rows, cols = case.frame.rows * per_token, case.frame.cols * per_token
    return F.pad(varied, (0, cols - varied.shape[-1], 0, rows - varied.shape[-2]))


def _visible(coverage: Tensor, case: Case, variation: Variation) -> Tensor:
    return _half_visible(coverage.sum(dim=(1, 2)), case, variation) & _clickable(coverage)


def _half_visible(area: Tensor, case: Case, variation: Variation) -> Tensor:
    """Which objects show at least half of themselves, given their visible area on the mask grid, (P,)."""
    whole = torch.tensor([float(boxed.coverage.sum(dtype=np.int64)) / 255.0 for boxed in case.coverages])
    return area >= 0.5 * whole * variation.scale**2


def _clickable(coverage: Tensor) -> Tensor:
    """Which objects have a logit pixel that is theirs for the most part, (P,) bool."""
    if len(coverage) == 0:
        return torch.zeros(0, dtype=torch.bool)
    return _to_logits(coverage).flatten(1).amax(dim=1) > 0.5


def _choose(candidates: Tensor, objects: int | None, rng: np.random.Generator | None) -> Tensor:
    """Indices of up to `objects` candidates in their own order."""
    indices = candidates.nonzero()[:, 0]
    if objects is None or rng is None or len(indices) <= objects:
        return indices
    return indices[torch.from_numpy(np.sort(rng.choice(len(indices), objects, replace=False)))]


def _to_logits(coverage: Tensor) -> Tensor:
    if len(coverage) == 0:
        height, width = coverage.shape[-2:]
        half = LOGIT_STRIDE // MASK_STRIDE
        return coverage.new_zeros((0, height // half, width // half))
    return F.avg_pool2d(coverage[:, None], LOGIT_STRIDE // MASK_STRIDE)[:, 0]


def _one_thread(_: int) -> None:
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
