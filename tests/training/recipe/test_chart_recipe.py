"""The recipe of a chart head: its file says everything, and mistakes get one line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from dentasam.errors import RecipeError
from dentasam.training.recipe.chart_recipe import ChartRecipe
from dentasam.training.recipe.recipe_file import known_keys, load_any_recipe, load_recipe, write_recipe

FILE = Path(__file__).parents[3] / "src/dentasam/assets/recipes/chart.yaml"


def chart_recipe(*overrides: str) -> ChartRecipe:
    recipe = load_any_recipe("chart", overrides)
    assert isinstance(recipe, ChartRecipe)
    return recipe


def test_every_key_is_written_in_the_bundled_file() -> None:
    content = yaml.safe_load(FILE.read_text())
    written = set(content)
    for key, value in content.items():
        if isinstance(value, dict):
            written |= {f"{key}.{inner}" for inner in value}
    assert set(known_keys(ChartRecipe)) - written <= {
        "augmentation.flip",
        "augmentation.rotation_deg",
        "augmentation.scale",
    }
    assert written <= set(known_keys(ChartRecipe))


def test_the_bundled_file_is_the_recipe_that_is_used() -> None:
    content, recipe = yaml.safe_load(FILE.read_text()), chart_recipe().model_dump(mode="json")
    for key, value in content.items():
        assert (recipe[key] | value if isinstance(value, dict) else value) == recipe[key], key


def test_overrides_change_their_key_alone() -> None:
    plain: dict[str, Any] = chart_recipe().model_dump()
    changed = chart_recipe(
        "finder.steps=7", "layout.mirror=0", "views.widths=[600, 700]", "adapter=null"
    ).model_dump()
    plain["finder"]["steps"] = 7
    plain["layout"]["mirror"] = 0.0
    plain["views"]["widths"] = (600, 700)
    plain["adapter"] = None
    assert changed == plain


def test_a_written_recipe_reads_back_the_same(tmp_path: Path) -> None:
    recipe = chart_recipe("seed=5", "numberer.missing=0.25")
    write_recipe(recipe, tmp_path / "recipe.yaml")
    assert load_any_recipe(tmp_path / "recipe.yaml") == recipe


def test_a_file_is_a_charts_by_its_scope_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("scope: chart\n")
    assert load_any_recipe(tmp_path / "mine.yaml") == ChartRecipe()


def test_whoever_trains_an_adapter_or_a_model_refuses_it() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("chart")
    assert str(caught.value).startswith("chart: scope chart trains a chart head")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("finders: {steps: 1}", "unknown key 'finders'; did you mean 'finder'?"),
        ("finder: {step: 1}", "unknown key 'finder.step'; did you mean 'finder.steps'?"),
        ("numberer: {unsee: 1}", "unknown key 'numberer.unsee'; did you mean 'numberer.unseen'?"),
        ("phantoms: 10", "unknown key 'phantoms'; did you mean 'views.phantoms'?"),
        ("lora: {rank: 2}", "unknown key 'lora'"),
        ("width: 100", "width: "),
        ("layout: {mirror: 2}", "layout.mirror: "),
        ("finder: {average: 1}", "finder.average: "),
        ("views: {per_image: 0}", "views.per_image: "),
        ("views: {widths: [1400, 1024]}", "views.widths: "),
        ("views: {widths: [10, 1024]}", "views.widths.0: "),
    ],
)
def test_mistake_in_a_file(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"scope: chart\n{text}\n")
    with pytest.raises(RecipeError) as caught:
        load_any_recipe(file)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("finder.stepps=1", "unknown key 'finder.stepps'; did you mean 'finder.steps'?"),
        ("optimiser.lr=1", "unknown key 'optimiser.lr'"),
        ("finder.lr=fast", "finder.lr: "),
        ("finder.lr", "write it as key=value"),
    ],
)
def test_mistake_in_an_override(override: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_any_recipe("chart", [override])
    assert override in str(caught.value)
    assert message in str(caught.value)
