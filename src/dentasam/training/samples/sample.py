"""What a training step learns from: an image, whole or a crop of it, with the masks of its objects."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, replace
from typing import Protocol, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dentasam.model.core.frame import Frame
from dentasam.training.recipe.step_plan import RunPlan
from dentasam.training.samples.embedding_cache import Encoded
from dentasam.training.samples.full_image import FullObjects

# How many steps each loading process works ahead of the one that is taken.
_STEPS_AHEAD = 2
# How often it looks whether the run's own process is still there.
_PARENT_CHECK_S = 0.5


@dataclass(frozen=True)
class Sample:
    """One image, whole or a crop of it, with the objects to train on.

    pixels: (1, 3, 16 rows, 16 cols); None where `output` holds the stored output of the encoder's frozen part.
    masks: (P, 4 rows, 4 cols) float32 coverage 0..1; P may be 0.
    position: place in the step's batch over all processes; it seeds the clicks.
    cache_key: where to keep the encoder's output; None where it is not to be kept.
    full: the same objects in the image at its own resolution, in a step on object windows.
    """

    pixels: Tensor | None
    output: Encoded | None
    frame: Frame
    masks: Tensor
    categories: tuple[str, ...]
    position: int
    cache_key: str | None = None
    full: FullObjects | None = None

    def pin_memory(self) -> Sample:
        """The same sample in page-locked memory, from which a GPU copies in the background; DataLoader calls this."""
        output = self.output
        if output is not None:
            parts = {name: part.pin_memory() for name, part in vars(output).items() if isinstance(part, Tensor)}
            output = replace(output, **parts)  # type: ignore[arg-type]
        pixels = None if self.pixels is None else self.pixels.pin_memory()
        return replace(self, pixels=pixels, output=output, masks=self.masks.pin_memory())


class StepSamples(Protocol):
    """A sampler: item `step` is the list of this process's samples of that optimiser step.

    An item depends on the recipe's seed, the step and the place in its batch alone. So a resumed run goes on with the
    samples that it would have seen, and several processes share out the batch that a single one would take.
    """

    plan: RunPlan

    def __len__(self) -> int: ...

    def __getitem__(self, step: int) -> list[Sample]: ...


def step_loader(samples: StepSamples, first_step: int, pinned: bool = False) -> DataLoader[list[Sample]]:
    """Load the steps from `first_step` to the last, in order, in the recipe's number of processes.

    pinned: load into memory that a GPU copies from in the background.
    """
    recipe = samples.plan.recipe
    return DataLoader(
        cast(Dataset[list[Sample]], samples),
        batch_size=None,
        sampler=range(first_step, len(samples)),
        num_workers=recipe.workers,
        prefetch_factor=_STEPS_AHEAD if recipe.workers else None,
        pin_memory=pinned,
        worker_init_fn=_begin_loading,
        generator=torch.Generator().manual_seed(recipe.seed),
    )


def encoder_groups(samples: list[Sample], at_once: int, any_frame: bool = False) -> list[list[Sample]]:
    """Group samples that can go through the encoder together: at one place of the frame, of one size.

    Samples without objects are left out. Samples whose encoder output is stored are alone in their group.
    any_frame: group all samples alike, because what goes through the encoder are their object windows.
    """
    groups: dict[tuple[int, ...], list[Sample]] = {}
    for sample in samples:
        if len(sample.masks) == 0:
            continue
        frame = sample.frame
        key: tuple[int, ...] = (frame.rows, frame.cols, frame.top, frame.left)
        if any_frame:
            key = ()
        elif sample.cache_key is not None:
            key = (-1, sample.position)
        groups.setdefault(key, []).append(sample)
    return [group[start : start + at_once] for group in groups.values() for start in range(0, len(group), at_once)]


def _begin_loading(_: int) -> None:
    """Make a loading process work in one thread, and end soon after the run's own process ended, however it did.

    By itself it would wait for ever to hand over a step that is larger than a pipe holds, and keep all its memory.
    """
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    parent = os.getppid()

    def end_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_S)
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
