"""Recipes as commented YAML files, with `key=value` overrides, read into the models of `settings.py`.

The resolved recipe, with every default spelt out, is written beside the results of a run.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from dentasam.documents.error import DocumentError
from dentasam.documents.shown import cut, printable
from dentasam.documents.text import read_text
from dentasam.documents.validation import first_error, place_of
from dentasam.documents.yaml_document import parse_yaml
from dentasam.errors import RecipeError
from dentasam.files.atomic_write import write_atomically
from dentasam.training.recipe.chart_recipe import ChartRecipe
from dentasam.training.recipe.settings import Recipe

# Keys of older recipes, which are still read: old name to new name. Random clicks were all or none: a true or false,
# which is read as a share of 1 or 0.
RENAMED_KEYS = {"windows": "windowed_objective", "schedule.random_clicks": "schedule.random_share"}


def recipe_names() -> list[str]:
    """Names of the recipes that ship with the package."""
    folder = resources.files("dentasam") / "assets" / "recipes"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_recipe(name_or_file: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """The recipe of an adapter or a base model: `load_any_recipe`, which refuses that of a chart head."""
    recipe = load_any_recipe(name_or_file, overrides)
    if isinstance(recipe, ChartRecipe):
        raise RecipeError(f"{name_or_file}: scope chart trains a chart head; use dentasam train, or another recipe")
    return recipe


def load_any_recipe(name_or_file: str | Path, overrides: Iterable[str] = ()) -> Recipe | ChartRecipe:
    """Read a bundled recipe by name or a YAML file, then apply `section.key=value` overrides.

    Its scope says what it trains. Raises RecipeError, one line with the file (or the override), the key and the
    nearest known key.
    """
    values = _with_new_names(_read_mapping(name_or_file), name_or_file)
    # The file is checked by itself first, so that an error names the file and not the overrides.
    recipe = _validated(values, str(name_or_file))
    overrides = list(overrides)
    if not overrides:
        return recipe
    for item in overrides:
        _set(values, *_parse_override(item, type(recipe)))
    return _validated(values, f"{name_or_file} with --set {cut(printable(' '.join(overrides)), 200)}")


def recipe_of(values: dict[str, Any], source: str) -> Recipe | ChartRecipe:
    """A recipe from its keys and values, of this version or an earlier one.

    Raises RecipeError, which names `source`.
    """
    return _validated(_with_new_names(values, source), source)


def write_recipe(recipe: Recipe | ChartRecipe, path: Path) -> None:
    """Write the resolved recipe with every default spelt out; `load_recipe(path)` gives the same recipe."""
    with write_atomically(path) as draft:
        draft.write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), "utf-8")


def known_keys(model: type[BaseModel] = Recipe, prefix: str = "") -> list[str]:
    """Dotted names of every setting and section."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += known_keys(field.annotation, f"{prefix}{name}.")
    return keys


def _read_mapping(name_or_file: str | Path) -> dict[str, Any]:
    """The keys and values of a recipe, as YAML has them."""
    path = Path(name_or_file)
    if str(name_or_file) in recipe_names():
        text = (resources.files("dentasam") / "assets" / "recipes" / f"{name_or_file}.yaml").read_text("utf-8")
    elif path.exists() or path.is_symlink():
        try:
            text = read_text(path)
        except (OSError, DocumentError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise RecipeError(f"{path}: cannot be read as a YAML text file ({reason})") from None
    else:
        raise RecipeError(f"{name_or_file}: no such recipe; give a YAML file or one of {', '.join(recipe_names())}")
    try:
        values = parse_yaml(text)
    except DocumentError as error:
        where = "" if error.line is None else f", line {error.line}"
        reason = error.reason if error.key is None else f"{error.key!r} twice"
        raise RecipeError(f"{name_or_file}{where} is not valid YAML ({reason})") from None
    if values is None or values == {}:
        known = ", ".join(recipe_names())
        raise RecipeError(f"{name_or_file} is empty; a recipe has at least one key, or use one of {known}")
    if not isinstance(values, dict):
        raise RecipeError(f"{name_or_file}: a recipe is a mapping of keys to values, not a {type(values).__name__}")
    return values


def _with_new_names(values: dict[str, Any], source: str | Path) -> dict[str, Any]:
    """The same values under the names that keys have today."""
    for old, new in RENAMED_KEYS.items():
        section, _, old_name = old.rpartition(".")
        new_name = new.rpartition(".")[2]
        inside = values.get(section) if section else values
        if not isinstance(inside, dict) or old_name not in inside:
            continue
        if new_name in inside:
            raise RecipeError(f"{source}: '{old}' is the old name of '{new}'; give one of the two")
        renamed = {new_name if key == old_name else key: value for key, value in inside.items()}
        values = values | {section: renamed} if section else renamed
    return values


def _parse_override(item: str, model: type[BaseModel]) -> tuple[list[str], Any]:
    setting = f"--set {cut(printable(item))}"
    key, equals, text = item.partition("=")
    key = key.strip()
    key = RENAMED_KEYS.get(key, key)
    if not equals or not key:
        raise RecipeError(f"{setting}: write it as key=value, for example optimiser.lr=1e-4")
    if key not in known_keys(model):
        raise RecipeError(f"{setting}: unknown key '{cut(printable(key))}'{_nearest(key, model)}")
    try:
        return key.split("."), parse_yaml(text)
    except DocumentError as error:
        raise RecipeError(f"{setting}: the value is not valid YAML ({error.reason})") from None


def _set(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        section = values.get(key)
        values[key] = dict(section) if isinstance(section, Mapping) else {}
        values = values[key]
    values[keys[-1]] = value


def _validated(values: Mapping[str, Any], source: str) -> Recipe | ChartRecipe:
    model = ChartRecipe if values.get("scope") == "chart" else Recipe
    try:
        return model.model_validate(values)
    except ValidationError as errors:
        first = errors.errors(include_url=False, include_input=False)[0]
        if first["type"] == "extra_forbidden":
            key = place_of(first["loc"])
            raise RecipeError(f"{source}: unknown key '{key}'{_nearest(key, model)}") from None
        raise RecipeError(f"{source}: {first_error(errors)}") from None


def _nearest(key: str, model: type[BaseModel]) -> str:
    keys = known_keys(model)
    close = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    if not close:  # perhaps the right name in the wrong section
        close = [known for known in keys if known.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]][:1]
    return f"; did you mean '{close[0]}'?" if close else f"; known keys are {', '.join(model.model_fields)}"
