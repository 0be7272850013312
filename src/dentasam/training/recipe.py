"""A training run's settings: a commented YAML file read into typed models, with `key=value` overrides.

Every section forbids unknown keys, so that a misspelt setting stops the run and is never silently a default.
The resolved recipe is written beside the results.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dentasam.errors import RecipeError
from dentasam.model.core.precision import Precision

Scope = Literal["encoder+decoder", "encoder", "decoder", "hq", "full"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Lora(Section):
    """The adapter; unused by the scope `full`."""

    rank: int = Field(8, ge=1)
    alpha: int = Field(16, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    rslora: bool = False
    dora: bool = False
    train_norms: bool = True
    encoder_last: int | None = Field(None, ge=1)


class Schedule(Section):
    """Which prompts an object gets: a first click, corrections, and steps that feed back the mask alone."""

    iterations: int = Field(11, ge=1)
    corrections: int = Field(8, ge=0)
    mask_only: int = Field(2, ge=0)
    random_clicks: bool = True
    random_first: Share = 0.0
    box_first: Share = 0.0
    done_dice: float | None = Field(1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _adds_up(self) -> Schedule:
        if 1 + self.corrections + self.mask_only != self.iterations:
            raise ValueError(
                f"iterations must be 1 + corrections + mask_only = {1 + self.corrections + self.mask_only}"
            )
        return self


class Crop(Section):
    """Windows of the frame at their own place in it; after `share` of the steps, whole images."""

    size: int = Field(256, ge=64, le=1024, multiple_of=16)
    share: Share = 0.0


class Stage(Section):
    """Part of a run on phantoms: steps on one kind of window with one click schedule.

    Where stages name `lr_end`, the rate goes there by a half cosine from where the stage before ended, in place of
    one cosine over all steps: a step on whole images takes many times as long as one on windows.
    """

    steps: int = Field(ge=1)
    window: int | None = Field(None, ge=64, le=1024, multiple_of=16)
    batch_images: int = Field(ge=1)
    objects_per_image: int = Field(ge=1)
    shapes_share: Share = 0.0
    corrections: int = Field(ge=0)
    mask_only: int = Field(0, ge=0)
    random_first: Share = 0.0
    box_first: Share = 0.0
    batch_norm: Literal["frozen", "running"] = "running"
    lr_end: float | None = Field(None, ge=0)


class Optimiser(Section):
    name: Literal["adamw", "muon", "sgd"] = "adamw"
    lr: float = Field(1e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup_steps: int = Field(100, ge=0)
    betas: tuple[Share, Share] = (0.9, 0.999)
    clip_norm: float | None = Field(1.0, gt=0)
    cosine: bool = True


class Budget(Section):
    """The run ends at whichever comes first; the learning rate follows whichever is furthest along."""

    epochs: float | None = Field(None, gt=0)
    steps: int | None = Field(None, ge=1)
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


class ObjectiveWeights(Section):
    dice: float = Field(1.0, ge=0)
    bce: float = Field(2.0, ge=0)
    iou: float = Field(0.05, ge=0)


class Augmentation(Section):
    """Ranges, each drawn anew per image and epoch; 0 switches one off."""

    flip: Share = 0.5
    rotation_deg: float = Field(5.0, ge=0, le=180)
    scale: float = Field(0.1, ge=0, lt=1)
    gamma: float = Field(0.2, ge=0, lt=1)
    contrast: float = Field(0.2, ge=0, lt=1)
    noise: float = Field(0.02, ge=0, le=1)
    blur: float = Field(0.3, ge=0)

    @property
    def moves_pixels(self) -> bool:
        return self.rotation_deg > 0 or self.scale > 0


class Validation(Section):
    every_steps: int = Field(200, ge=1)
    images: int = Field(16, ge=1)
    clicks: int = Field(5, ge=1)
    patience: int | None = Field(None, ge=1)


class Cache(Section):
    """What the frozen encoder, or its frozen part, gives, on disk; a relative folder is under `--out`."""

    dir: str | None = None
    decoded_mb: int = Field(512, ge=0)


class Phantoms(Section):
    """What `dentasam pretrain` draws on the fly, a new image for each index of each epoch."""

    images: int = Field(2000, ge=1)
    width: int = Field(1024, ge=64)
    height: int = Field(512, ge=64)
    shapes_share: Share = 0.25
    conditions_share: Share = 0.2
    fillings_share: Share = 0.15


class Recipe(Section):
    scope: Scope = "encoder+decoder"
    base: str = "dentasam-tiny"
    lora: Lora = Lora()
    schedule: Schedule = Schedule()
    windows: bool = True
    objects_per_image: int = Field(16, ge=1)
    decode_memory_mb: int | None = Field(None, ge=1)
    recompute_encoder: bool = False
    batch_images: int = Field(2, ge=1)
    images_at_once: int = Field(1, ge=1)
    crop: Crop = Crop()
    optimiser: Optimiser = Optimiser()
    budget: Budget = Budget(epochs=10)
    objective: ObjectiveWeights = ObjectiveWeights()
    augmentation: Augmentation = Augmentation()
    batch_norm: Literal["frozen", "running"] = "frozen"
    precision: Precision = "auto"
    validation: Validation = Validation()
    cache: Cache = Cache()
    phantoms: Phantoms = Phantoms()
    stages: tuple[Stage, ...] = ()
    seed: int = Field(0, ge=0)
    workers: int = Field(1, ge=0)
    checkpoint_every: int = Field(100, ge=1)

    @property
    def encoder_frozen(self) -> bool:
        return self.scope in ("decoder", "hq")

    def total_steps(self, images: int) -> int:
        """Optimiser steps of a whole run over `images` training images."""
        if self.stages:
            return sum(stage.steps for stage in self.stages)
        return self.budget.total_steps(images, self.batch_images)

    def stage_at(self, step: int) -> Stage | None:
        """The stage a step belongs to (the last one for any step after), None for a run without stages."""
        end = 0
        for stage in self.stages:
            end += stage.steps
            if step < end:
                return stage
        return self.stages[-1] if self.stages else None

    @model_validator(mode="after")
    def _stages_fit(self) -> Recipe:
        if self.stages and self.scope != "full":
            raise ValueError(f"stages are for pretraining on phantoms (scope full, not {self.scope})")
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
        moving = self.augmentation.moves_pixels or self.augmentation.noise > 0 or self.augmentation.blur > 0
        if moving or self.augmentation.gamma > 0 or self.augmentation.contrast > 0 or self.crop.share > 0:
            raise ValueError(
                "cache.dir holds whole images and their mirror images only: set crop.share and every "
                "augmentation but flip to 0, or cache.dir to null"
            )
        return self


def recipe_names() -> list[str]:
    """Names of the recipes that ship with the package."""
    folder = resources.files("dentasam") / "assets" / "recipes"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_recipe(name_or_file: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a bundled recipe by name or a YAML file, then apply `section.key=value` overrides.

    Raises RecipeError, one line naming the file (or the override), the key and the nearest known key.
    """
    path = Path(name_or_file)
    if str(name_or_file) in recipe_names():
        text = (resources.files("dentasam") / "assets" / "recipes" / f"{name_or_file}.yaml").read_text("utf-8")
    elif path.is_file():
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            raise RecipeError(f"{path}: cannot be read as a YAML text file ({type(fault).__name__})") from None
    else:
        raise RecipeError(f"{name_or_file}: no such recipe; give a YAML file or one of {', '.join(recipe_names())}")
    try:
        values = yaml.load(text, Loader=_UniqueKeys)
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise RecipeError(f"{name_or_file}:{where} is not valid YAML ({getattr(fault, 'problem', fault)})") from None
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise RecipeError(f"{name_or_file}: a recipe is a mapping of keys to values, not a {type(values).__name__}")
    recipe = _validated(values, str(name_or_file))
    overrides = list(overrides)
    if not overrides:
        return recipe
    for item in overrides:
        _set(values, *_parse_override(item))
    return _validated(values, f"{name_or_file} with --set {' '.join(overrides)}")


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write the resolved recipe, every default spelt out; `load_recipe(path)` gives the same recipe."""
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), "utf-8")


def known_keys(model: type[BaseModel] = Recipe, prefix: str = "") -> list[str]:
    """Dotted names of every setting and section."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += known_keys(field.annotation, f"{prefix}{name}.")
    return keys


def _parse_override(item: str) -> tuple[list[str], Any]:
    key, equals, text = item.partition("=")
    key = key.strip()
    if not equals or not key:
        raise RecipeError(f"--set {item}: write it as key=value, for example optimiser.lr=1e-4")
    if key not in known_keys():
        raise RecipeError(f"--set {item}: unknown key '{key}'{_nearest(key)}")
    try:
        return key.split("."), yaml.safe_load(text)
    except yaml.YAMLError:
        raise RecipeError(f"--set {item}: the value is not valid YAML") from None


def _set(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        section = values.get(key)
        values[key] = dict(section) if isinstance(section, Mapping) else {}
        values = values[key]
    values[keys[-1]] = value


def _validated(values: Mapping[str, Any], source: str) -> Recipe:
    try:
        return Recipe.model_validate(values)
    except ValidationError as faults:
        fault = faults.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            raise RecipeError(f"{source}: unknown key '{key}'{_nearest(key)}") from None
        what = fault["msg"].removeprefix("Value error, ")
        raise RecipeError(f"{source}: {key + ': ' if key else ''}{what}") from None


def _nearest(key: str) -> str:
    keys = known_keys()
    close = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    if not close:  # the right name in the wrong section
        close = [known for known in keys if known.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]][:1]
    return f"; did you mean '{close[0]}'?" if close else f"; known keys are {', '.join(Recipe.model_fields)}"


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets a later key silently win over an earlier one; here that is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key}' twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
