"""No number of a recipe is without end, and what is no file is named as what it is."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from dentasam.errors import RecipeError
from dentasam.training.recipe.chart_recipe import ChartRecipe
from dentasam.training.recipe.recipe_file import load_any_recipe
from dentasam.training.recipe.sections import Stage
from dentasam.training.recipe.settings import Recipe


def whole_numbers(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted name and the annotation, with its bounds, of each setting that is a whole number or has them."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from whole_numbers(kind, f"{prefix}{name}.")
        elif kind is int or int in get_args(kind) or get_origin(kind) in (tuple, dict):
            yield prefix + name, Annotated[kind, *field.metadata] if field.metadata else kind


@pytest.mark.parametrize("model", [Recipe, ChartRecipe, Stage])
def test_every_whole_number_has_an_upper_bound(model: type[BaseModel]) -> None:
    found = 0
    for _, kind in whole_numbers(model):
        for huge in (10**19, [10**19, 10**19], {10**19: 1.0}):
            with pytest.raises(ValidationError):
                TypeAdapter(kind).validate_python(huge)
        found += 1
    assert found >= 5


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("decoder", "workers=99999"),
        ("decoder", "lora.rank=1000000"),
        ("decoder", "batch_images=100000000"),
        ("decoder", "budget.epochs=1e300"),
        ("decoder", "seed=9223372036854775808"),
        ("decoder", "augmentation.blur=1e9"),
        ("chart", "finder.batch=100000"),
        ("chart", "views.per_image=100000"),
    ],
)
def test_numbers_without_sense_are_refused(name: str, setting: str) -> None:
    with pytest.raises(RecipeError, match=f"{setting.split('=')[0]}.*less than or equal"):
        load_any_recipe(name, [setting])


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_not_called_missing(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "recipe.yaml")
    with pytest.raises(RecipeError, match=r"recipe\.yaml: cannot be read as a YAML text file \("):
        load_any_recipe(tmp_path / "recipe.yaml")
