"""The settings of a training run, as a typed model; `recipe_file.py` reads it from YAML."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dentasam.model.core.precision import Precision
from dentasam.training.recipe.sections import (
    BATCH,
    MEGABYTES,
    OBJECTS,
    SEED,
    STEPS,
    Augmentation,
    Budget,
    Cache,
    Crop,
    Lora,
    LossWeights,
    ObjectWindows,
    Optimiser,
    Phantoms,
    Schedule,
    Scope,
    Section,
    Share,
    Stage,
    Validation,
)


class Recipe(Section):
    """All settings of a run.

    adapter: name or folder of an adapter of the same scope and rank, whose weights the new one starts from.
    phantoms_share: share of the images of an adapter's training that are phantoms in place of the dataset's.
    choices_only: train only the heads of SAM's three masks and of the scores (`multimask_share`): the logits of the
        single mask stay as they are, and so do batch norm statistics.
    """

    scope: Scope = "encoder+decoder"
    base: str = "dentasam-tiny"
    adapter: str | None = None
    lora: Lora = Lora()
    schedule: Schedule = Schedule()
    windowed_objective: bool = True
    objects_per_image: int = Field(16, ge=1, le=OBJECTS)
    decode_memory_mb: int | None = Field(None, ge=1, le=MEGABYTES)
    recompute_encoder: bool = False
    batch_images: int = Field(2, ge=1, le=BATCH)
    images_at_once: int = Field(1, ge=1, le=BATCH)
    crop: Crop = Crop()
    object_windows: ObjectWindows = ObjectWindows()
    optimiser: Optimiser = Optimiser()
    budget: Budget = Budget(epochs=10)
    objective: LossWeights = LossWeights()
    augmentation: Augmentation = Augmentation()
    batch_norm: Literal["frozen", "running"] = "frozen"
    precision: Precision = "auto"
    validation: Validation = Validation()
    cache: Cache = Cache()
    phantoms: Phantoms = Phantoms()
    phantoms_share: Share = 0.0
    choices_only: bool = False
    stages: tuple[Stage, ...] = ()
    seed: int = Field(0, ge=0, le=SEED)
    workers: int = Field(1, ge=0, le=256)
    checkpoint_every: int = Field(100, ge=1, le=STEPS)

    @property
    def encoder_frozen(self) -> bool:
        return self.choices_only or self.scope in ("decoder", "hq")

    @property
    def trains_object_windows(self) -> bool:
        """Whether there are steps on object windows, which need images at their full size."""
        return any(stage.object_windows for stage in self.stages) if self.stages else self.object_windows.share > 0

    def total_steps(self, images: int) -> int:
        """Optimiser steps of a whole run over `images` training images."""
        if self.stages:
            return sum(stage.steps for stage in self.stages)
        return self.budget.total_steps(images, self.batch_images)

    @model_validator(mode="after")
    def _stages_fit(self) -> Recipe:
        if self.stages and self.scope != "full":
            raise ValueError(f"stages are for pretraining on phantoms (scope full, not {self.scope})")
        return self

    @model_validator(mode="after")
    def _adapter_fits(self) -> Recipe:
        if self.adapter is not None and self.scope == "full":
            raise ValueError("adapter is for scopes that train one, not full; set it to null")
        return self

    @model_validator(mode="after")
    def _choices_fit(self) -> Recipe:
        if not self.choices_only:
            return self
        if self.scope not in ("full", "encoder+decoder", "decoder"):
            raise ValueError(f"choices_only is for scopes with the decoder, not {self.scope}; set it to false")
        if not any(part.multimask_share for part in self.stages or (self.schedule,)) or not self.objective.iou:
            raise ValueError("choices_only needs multimask_share and objective.iou above 0")
        if self.cache.dir is not None:
            raise ValueError("choices_only needs cache.dir null: an adapter's encoder is not that of its base")
        return self

    @model_validator(mode="after")
    def _last_blocks_fit(self) -> Recipe:
        if self.lora.encoder_last is not None and "encoder" not in self.scope:
            raise ValueError(f"lora.encoder_last is for scopes with the encoder, not {self.scope}; set it to null")
        return self

    @model_validator(mode="after")
    def _cache_fits(self) -> Recipe:
        if self.cache.dir is None:
            return self
        if not self.encoder_frozen and self.lora.encoder_last is None:
            raise ValueError(
                f"cache.dir needs a frozen encoder (scope decoder or hq, not {self.scope}) or lora.encoder_last; "
                "set it to null"
            )
        if self.lora.encoder_last is not None and self.batch_norm != "frozen":
            raise ValueError("cache.dir needs batch_norm frozen: running statistics change what was cached")
        if self.augmentation.changes_pixels or self.crop.share > 0:
            raise ValueError(
                "cache.dir holds whole images and their mirror images only: set crop.share and of the augmentation "
                "rotation_deg, scale and exposure to 0, or cache.dir to null"
            )
        return self
