"""A training run small enough for a test: a shallow encoder, images of one row of ellipses, crops of 64 pixels.

Also a script, for tests that need a process to kill or two processes: `small_run.py OUT [--resume] [key=value ...]`.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from dentasam.model.encoder.vit import ImageEncoderViT
from dentasam.model.sam_hq import SamHQ
from dentasam.processes import launched
from dentasam.training.recipe.recipe_file import load_recipe
from dentasam.training.recipe.settings import Recipe
from dentasam.training.run.loop import TrainingResult, train
from dentasam.training.run.training_run import Base
from dentasam.training.samples.sources import Case, make_case

BASE = Base("small", "0" * 64, "ellipses")
SETTINGS = (
    "schedule.iterations=3",
    "schedule.corrections=1",
    "schedule.mask_only=1",
    "schedule.box_first=0",
    "lora.rank=2",
    "object_windows.share=0",
    "schedule.iterations_drawn={}",
    "crop.size=64",
    "crop.share=1",
    "budget.epochs=null",
    "budget.steps=8",
    "optimiser.warmup_steps=2",
    "objects_per_image=2",
    "batch_images=2",
    "validation.images=1",
    "validation.clicks=2",
    "validation.every_steps=3",
    "checkpoint_every=2",
    "precision=fp32",
    "workers=0",
)


class Ellipses:
    """Images (64, 1024) with a row of bright ellipses; a frame of 4 x 64 tokens.

    Where STALL_AFTER is set, the source hangs after so many images, so that the process can be killed there.
    """

    def __init__(self, images: int = 6, ellipses: int = 24) -> None:
        self.images, self.ellipses = images, ellipses
        self.asked = 0

    def __len__(self) -> int:
        return self.images

    def case(self, index: int, epoch: int = 0) -> Case:
        self.asked += 1
        if self.asked > int(os.environ.get("STALL_AFTER", "1000000")):
            time.sleep(600)
        rng = np.random.default_rng([99, index])
        y, x = np.mgrid[:64, :1024]
        masks = []
        for place in range(self.ellipses):
            middle = (place + 0.5) * 1024 / self.ellipses + rng.uniform(-4, 4)
            height, width = rng.uniform(16, 24), rng.uniform(9, 14)
            masks.append(((y - 32) / height) ** 2 + ((x - middle) / width) ** 2 < 1)
        image = 40 + 120 * np.any(masks, axis=0) + rng.normal(0, 8, (64, 1024))
        return make_case(
            image.clip(0, 255).astype(np.uint8), np.stack(masks), tuple("11" for _ in masks), f"image {index}", 0.0
        )


def small_model() -> SamHQ:
    torch.manual_seed(7)
    return SamHQ(ImageEncoderViT(32, 2, 2, (1,)), 32)


def small_recipe(*settings: str, name: str = "encoder+decoder") -> Recipe:
    return load_recipe(name, [*SETTINGS, *settings])


def small_run(out: Path, *settings: str, resume: bool = False, validate: bool = True) -> TrainingResult:
    # tensors this small gain nothing from a second thread, and on a busy machine threads wait for each other
    torch.set_num_threads(1)
    with launched(cpu=True) as accelerator:
        return train(
            small_model(),
            small_recipe(*settings),
            Ellipses(),
            Ellipses(2, 4) if validate else None,
            out,
            BASE,
            resume=resume,
            accelerator=accelerator,
            console=Console(quiet=True),
        )


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[2:] if argument != "--resume"]
    small_run(Path(sys.argv[1]), *arguments, resume="--resume" in sys.argv)
