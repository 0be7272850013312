"""The sections of a recipe, as typed models; `settings.py` puts them together.

Every section forbids unknown keys, so that a misspelt setting stops the run instead of leaving the default in place.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Scope = Literal["encoder+decoder", "encoder", "decoder", "hq", "full"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
_Number = TypeVar("_Number", int, float)


def _shares_of_one(shares: dict[int, float]) -> dict[int, float]:
    if shares and abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"the shares must add up to 1, not {sum(shares.values()):g}")
    return shares


def _ascending(range_: tuple[_Number, _Number]) -> tuple[_Number, _Number]:
    if range_[0] > range_[1]:
        raise ValueError("give the lower end of the range first")
    return range_


# Far above what any recipe asks for: a slip of the keyboard is said in a line, and does not fill memory or never end.
STEPS, ITERATIONS, OBJECTS, BATCH, MEGABYTES, IMAGES, PIXELS = 10**12, 1000, 10_000, 4096, 1 << 24, 10**7, 8192
# The greatest that torch, numpy and a file take alike.
SEED = 2**63 - 1

# A step's number of iterations and its share of the steps; empty where the schedule's own number always holds.
IterationShares = Annotated[dict[Annotated[int, Field(ge=1, le=ITERATIONS)], Share], AfterValidator(_shares_of_one)]
_Bound = Annotated[float, Field(gt=0.0, le=100.0)]
Range = Annotated[tuple[_Bound, _Bound], AfterValidator(_ascending)]
_Width = Annotated[int, Field(ge=256, le=PIXELS)]
Widths = Annotated[tuple[_Width, _Width], AfterValidator(_ascending)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, and values cannot be changed once they are read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Lora(Section):
    """The adapter; the scope `full` does not use it."""

    rank: int = Field(8, ge=1, le=4096)
    alpha: int = Field(16, ge=1, le=1 << 20)
    dropout: float = Field(0.0, ge=0, lt=1)
    rslora: bool = False
    dora: bool = False
    train_norms: bool = True
    encoder_last: int | None = Field(None, ge=1, le=1000)


class Schedule(Section):
    """Which prompts an object gets: a first click, corrections, and iterations that feed back the mask alone.

    iterations_drawn: a step's number of iterations and its share of the steps, in place of `iterations`: a first
        click and corrections alone.
    """

    iterations: int = Field(11, ge=1, le=ITERATIONS)
    corrections: int = Field(8, ge=0, le=ITERATIONS)
    mask_only: int = Field(2, ge=0, le=ITERATIONS)
    iterations_drawn: IterationShares = {}
    random_share: Share = 1.0
    random_first: Share = 0.0
    box_first: Share = 0.0
    multimask_share: Share = 0.0
    done_dice: float | None = Field(1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _adds_up(self) -> Schedule:
        if 1 + self.corrections + self.mask_only != self.iterations:
            raise ValueError(
                f"iterations must be 1 + corrections + mask_only = {1 + self.corrections + self.mask_only}"
            )
        return self


class Crop(Section):
    """Train on crops of the 1024 frame, at their own place in it, for `share` of the steps; on whole images after."""

    size: int = Field(256, ge=64, le=1024, multiple_of=16)
    share: Share = 0.0


class ObjectWindows(Section):
    """Steps on object windows (`model/windows/`), for `share` of the steps; stages have shares of their own.

    objects_per_image: windows of each image. iterations_drawn: as in `Schedule`.
    margin: of a window's side over that of the object's box. scale_jitter: standard deviation of the logarithm of a
        further factor. shift: greatest, as a share of the window's side.
    rotation_deg: standard deviation, in half of the windows. mirror: share that are mirrored.
    click_alone: share that lie around the first click, at any height in `click_height`, a share of the image's width.
    box_alone: share that lie around the object's own box, and get no earlier mask.
    random_first: share of first clicks anywhere inside the object instead of at its interior centre.
    smooth_truth_px: standard deviation of a Gaussian, in image pixels, that rounds off masks drawn on a coarse grid.
    """

    share: Share = 0.0
    objects_per_image: int = Field(8, ge=1, le=OBJECTS)
    iterations_drawn: IterationShares = {3: 0.2, 5: 0.35, 8: 0.25, 11: 0.2}
    margin: Range = (1.3, 2.0)
    scale_jitter: float = Field(0.08, ge=0, le=1)
    shift: float = Field(0.08, ge=0, le=0.5)
    rotation_deg: float = Field(4.5, ge=0, le=45)
    mirror: Share = 0.5
    click_alone: Share = 0.1
    click_height: Range = (0.09, 0.35)
    box_alone: Share = 0.15
    random_first: Share = 0.4
    smooth_truth_px: float = Field(1.2, ge=0, le=10)


class Stage(Section):
    """Part of a run on phantoms: a number of steps on crops of one size (`window`; null: whole images), one schedule.

    object_windows: share of the steps on object windows instead. iterations_drawn: of the others, as in `Schedule`.

    Where stages name `lr_end`, the learning rate falls to it by a half cosine from the rate at which the stage before
    ended, in place of one cosine over all steps: a step on whole images takes many times as long as one on crops.
    """

    steps: int = Field(ge=1, le=STEPS)
    window: int | None = Field(None, ge=64, le=1024, multiple_of=16)
    batch_images: int = Field(ge=1, le=BATCH)
    objects_per_image: int = Field(ge=1, le=OBJECTS)
    shapes_share: Share = 0.0
    corrections: int = Field(ge=0, le=ITERATIONS)
    mask_only: int = Field(0, ge=0, le=ITERATIONS)
    iterations_drawn: IterationShares = {}
    object_windows: Share = 0.0
    random_share: Share = 1.0
    random_first: Share = 0.0
    box_first: Share = 0.0
    multimask_share: Share = 0.0
    batch_norm: Literal["frozen", "running"] = "running"
    lr_end: float | None = Field(None, ge=0)


class Optimiser(Section):
    name: Literal["adamw", "muon", "sgd"] = "adamw"
    lr: float = Field(1e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup_steps: int = Field(100, ge=0, le=STEPS)
    betas: tuple[Share, Share] = (0.9, 0.999)
    clip_norm: float | None = Field(1.0, gt=0)
    cosine: bool = True


class Budget(Section):
    """The run ends at whichever limit comes first; the learning rate follows the one that is closest."""

    epochs: float | None = Field(None, gt=0, le=1e9)
    steps: int | None = Field(None, ge=1, le=STEPS)
    minutes: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _has_steps(self) -> Budget:
        if self.epochs is None and self.steps is None:
            raise ValueError("give epochs or steps (minutes alone leaves the length of the schedule open)")
        return self

    def total_steps(self, images: int, batch_images: int) -> int:
        """Optimiser steps of a whole run over `images` training images."""
        limits = [] if self.steps is None else [self.steps]
        if self.epochs is not None:
            limits.append(max(1, round(self.epochs * images / batch_images)))
        return min(limits)


class LossWeights(Section):
    """Weights of the parts of the loss, see `MaskLoss` and, for `region` and `click`, `ClickTerms`."""

    dice: float = Field(1.0, ge=0)
    bce: float = Field(2.0, ge=0)
    iou: float = Field(0.05, ge=0)
    region: float = Field(0.0, ge=0)
    click: float = Field(0.0, ge=0)


class Augmentation(Section):
    """Ranges of random variation, drawn anew for each image in each epoch; 0 switches one off."""

    flip: Share = 0.5
    rotation_deg: float = Field(5.0, ge=0, le=180)
    scale: float = Field(0.1, ge=0, lt=1)
    exposure: Share = 1.0
    gamma: float = Field(0.2, ge=0, lt=1)
    contrast: float = Field(0.2, ge=0, lt=1)
    offset: float = Field(0.0, ge=0, le=1)
    noise: float = Field(0.02, ge=0, le=1)
    blur: float = Field(0.3, ge=0, le=100)
    sharpen: float = Field(0.0, ge=0, le=100)
    tilt: float = Field(0.0, ge=0, le=1)
    vignette: float = Field(0.0, ge=0, le=1)
    tone: Share = 0.0
    clahe: float = Field(0.0, ge=0, le=1000)
    jpeg: int = Field(0, ge=0, le=95)

    @property
    def changes_pixels(self) -> bool:
        """Whether anything but the mirror image is asked for."""
        looks = any(value for name, value in self if name not in ("flip", "rotation_deg", "scale", "exposure"))
        return bool(self.rotation_deg or self.scale or (self.exposure and looks))


class Validation(Section):
    every_steps: int = Field(200, ge=1, le=STEPS)
    images: int = Field(16, ge=1, le=IMAGES)
    clicks: int = Field(5, ge=1, le=ITERATIONS)
    patience: int | None = Field(None, ge=1, le=STEPS)


class Cache(Section):
    """The output of the frozen encoder, or of its frozen part, kept on disk; a relative folder is under `--out`."""

    dir: str | None = None
    decoded_mb: int = Field(512, ge=0, le=MEGABYTES)


class Phantoms(Section):
    """The synthetic images that `dentasam pretrain` draws while it runs.

    full_widths: least and greatest width in pixels, where there are steps on object windows.
    fillings_share: of the parts (fillings, root fillings, lesions), those that are objects.
    window_fillings: share of the object windows that show a part, where the image has as many.
    clicks_on_parts: share of the objects with a part within them whose first click in an object window is on it.
    """

    images: int = Field(2000, ge=1, le=IMAGES)
    width: int = Field(1024, ge=64, le=PIXELS)
    height: int = Field(512, ge=64, le=PIXELS)
    shapes_share: Share = 0.25
    conditions_share: Share = 0.2
    fillings_share: Share = 0.15
    full_widths: Widths = (1200, 3000)
    window_fillings: Share = 0.3
    clicks_on_parts: Share = 0.0
