"""The settings of a chart head's training, as a typed model; `recipe_file.py` reads it from YAML."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dentasam.training.recipe.sections import BATCH, SEED, STEPS, Augmentation, Section, Share, Widths


class Layout(Section):
    """How differently a jaw may lie in a film. Standard deviations; of logarithms for crop, zoom and stretch.

    crop: of the film's width (the height's is smaller). zoom: of the jaw; stretch: of its height against its width.
    shift: as a share of the image's sides. mirror: share of the views that are mirrored.
    """

    crop: float = Field(0.12, ge=0, le=0.5)
    zoom: float = Field(0.14, ge=0, le=0.5)
    stretch: float = Field(0.07, ge=0, le=0.5)
    shift: float = Field(0.045, ge=0, le=0.3)
    rotation_deg: float = Field(2.5, ge=0, le=20)
    mirror: Share = 0.5


class Views(Section):
    """What is encoded once and stored: views of each image of the dataset (the first as it is), and phantoms.

    phantoms: how many are drawn, of every dentition and layout. widths: their least and greatest width in pixels.
    conditions_share: of the phantoms, those with one of the bad-case conditions.
    dir: folder of the stored embeddings; relative to --out.
    """

    per_image: int = Field(3, ge=1, le=1000)
    phantoms: int = Field(900, ge=0, le=1_000_000)
    widths: Widths = (1024, 1400)
    conditions_share: Share = 0.15
    dir: str = "embeddings"


class FinderTraining(Section):
    """AdamW with a warm-up and half a cosine; the weights that are kept are a running mean (`average`)."""

    steps: int = Field(1600, ge=1, le=STEPS)
    batch: int = Field(4, ge=1, le=BATCH)
    lr: float = Field(2e-3, gt=0)
    weight_decay: float = Field(0.02, ge=0)
    warmup_steps: int = Field(60, ge=0, le=STEPS)
    average: float = Field(0.995, ge=0, lt=1)


class NumbererTraining(FinderTraining):
    """As the finder's, on sets of teeth from which some are taken away, moved together, and seen in geometry alone.

    missing: share of the sets from which teeth are taken; unseen: of those in which shapes do not count; known: of
    those in which some numbers are given.
    """

    steps: int = Field(2400, ge=1, le=STEPS)
    batch: int = Field(48, ge=1, le=BATCH)
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    average: float = Field(0.998, ge=0, lt=1)
    missing: Share = 0.6
    unseen: Share = 0.1
    known: Share = 0.3


class ChartRecipe(Section):
    """All settings of a chart head's training.

    adapter: whose embeddings it reads; "none" for the base alone. start: "head" trains the adapter's own chart head
    further, which must have the same sizes. width, detail, numberer_width: its sizes.
    """

    scope: Literal["chart"] = "chart"
    base: str = "dentasam-tiny"
    adapter: str | None = "panoramic-teeth"
    start: Literal["new", "head"] = "new"
    width: int = Field(128, ge=8, le=1024, multiple_of=8)
    detail: int = Field(64, ge=8, le=1024, multiple_of=8)
    numberer_width: int = Field(128, ge=8, le=1024, multiple_of=8)
    views: Views = Views()
    layout: Layout = Layout()
    augmentation: Augmentation = Augmentation()
    finder: FinderTraining = FinderTraining()
    numberer: NumbererTraining = NumbererTraining()
    seed: int = Field(0, ge=0, le=SEED)
    checkpoint_every: int = Field(100, ge=1, le=STEPS)
