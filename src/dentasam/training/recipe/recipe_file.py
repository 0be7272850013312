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

from dentasam.atomic_write import write_atomically
from dentasam.errors import RecipeError
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
    return _validated(values, f"{name_or_file} with --set {' '.join(overrides)}")


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
    elif path.is_file():
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"{path}: cannot be read as a YAML text file ({type(error).__name__})") from None
    else:
        raise RecipeError(f"{name_or_file}: no such recipe; give a YAML file or one of {', '.join(recipe_names())}")
    try:
        values = yaml.load(text, Loader=_UniqueKeys)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise RecipeError(f"{name_or_file}:{where} is not valid YAML ({getattr(error, 'problem', error)})") from None
    values = {} if values is None else values
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
    key, equals, text = item.partition("=")
    key = key.strip()
    key = RENAMED_KEYS.get(key, key)
    if not equals or not key:
        raise RecipeError(f"--set {item}: write it as key=value, for example optimiser.lr=1e-4")
    if key not in known_keys(model):
        raise RecipeError(f"--set {item}: unknown key '{key}'{_nearest(key, model)}")
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


def _validated(values: Mapping[str, Any], source: str) -> Recipe | ChartRecipe:
    model = ChartRecipe if values.get("scope") == "chart" else Recipe
    try:
        return model.model_validate(values)
    except ValidationError as errors:
        first = errors.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise RecipeError(f"{source}: unknown key '{key}'{_nearest(key, model)}") from None
        what = first["msg"].removeprefix("Value error, ")
        raise RecipeError(f"{source}: {key + ': ' if key else ''}{what}") from None


def _nearest(key: str, model: type[BaseModel]) -> str:
    keys = known_keys(model)
    close = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    if not close:  # perhaps the right name in the wrong section
        close = [known for known in keys if known.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]][:1]
    return f"; did you mean '{close[0]}'?" if close else f"; known keys are {', '.join(model.model_fields)}"


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
