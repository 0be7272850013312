"""Recipes: every setting is known, every mistake gets one line with the key, its neighbour and the file."""

from pathlib import Path

import pytest
import yaml

from dentasam.errors import RecipeError
from dentasam.model.adapters.lora import LoraSettings
from dentasam.prompts.click_schedule import ClickSchedule
from dentasam.training.recipe.recipe_file import known_keys, load_recipe, recipe_names, write_recipe
from dentasam.training.recipe.settings import Recipe
from dentasam.training.step.click_terms import ClickTerms
from dentasam.training.step.loss import MaskLoss


# The one that trains no adapter and no base model has tests of its own (`test_chart_recipe.py`).
@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "chart"])
def test_bundled_recipe_is_valid_commented_and_builds_its_parts(name: str) -> None:
    recipe = load_recipe(name)
    ClickSchedule(**recipe.schedule.model_dump(exclude={"iterations", "iterations_drawn"}))
    weights = recipe.objective.model_dump()
    ClickTerms(weights.pop("region"), weights.pop("click"))
    MaskLoss(**weights)
    if recipe.scope != "full":
        LoraSettings(recipe.scope, **recipe.lora.model_dump())
        assert name == recipe.scope
    assert recipe.encoder_frozen == (recipe.cache.dir is not None)


def test_there_is_a_recipe_for_each_scope_and_for_the_bundled_model() -> None:
    assert recipe_names() == ["chart", "decoder", "dentasam-tiny", "encoder", "encoder+decoder", "hq"]
    assert load_recipe("dentasam-tiny").scope == "full"


def test_overrides_change_their_key_alone() -> None:
    plain = load_recipe("encoder+decoder").model_dump()
    changed = load_recipe(
        "encoder+decoder",
        ["optimiser.lr=1e-5", "lora.dora=true", "optimiser.clip_norm=null", "optimiser.betas=[0.8, 0.99]"],
    ).model_dump()
    plain["optimiser"] |= {"lr": 1e-5, "clip_norm": None, "betas": (0.8, 0.99)}
    plain["lora"]["dora"] = True
    assert changed == plain


def test_written_recipe_reads_back_the_same(tmp_path: Path) -> None:
    recipe = load_recipe("hq", ["seed=5", "budget.minutes=2.5"])
    write_recipe(recipe, tmp_path / "recipe.yaml")
    assert load_recipe(tmp_path / "recipe.yaml") == recipe
    assert "workers" in yaml.safe_load((tmp_path / "recipe.yaml").read_text())  # defaults are spelt out


def test_old_key_of_the_windowed_objective_is_still_read(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("windows: false\n")
    recipe = load_recipe(tmp_path / "old.yaml")
    assert not recipe.windowed_objective
    write_recipe(recipe, tmp_path / "new.yaml")
    written = yaml.safe_load((tmp_path / "new.yaml").read_text())
    assert written["windowed_objective"] is False
    assert "windows" not in written
    assert load_recipe(tmp_path / "old.yaml", ["windowed_objective=true"]).windowed_objective
    assert not load_recipe("hq", ["windows=false"]).windowed_objective


@pytest.mark.parametrize(("old", "share"), [("true", 1.0), ("false", 0.0)])
def test_random_clicks_were_all_or_none(tmp_path: Path, old: str, share: float) -> None:
    (tmp_path / "old.yaml").write_text(f"schedule: {{random_clicks: {old}}}\n")
    recipe = load_recipe(tmp_path / "old.yaml")
    assert recipe.schedule.random_share == share
    write_recipe(recipe, tmp_path / "new.yaml")
    assert load_recipe(tmp_path / "new.yaml") == recipe
    assert "random_clicks" not in (tmp_path / "new.yaml").read_text()
    assert load_recipe("hq", [f"schedule.random_clicks={old}"]).schedule.random_share == share
    assert load_recipe(tmp_path / "old.yaml", ["schedule.random_share=0.25"]).schedule.random_share == 0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer: {lr: 1}", "unknown key 'optimizer'; did you mean 'optimiser'?"),
        ("optimiser: {learning_rate: 1}", "unknown key 'optimiser.learning_rate'"),
        ("optimiser: {warmup: 1}", "unknown key 'optimiser.warmup'; did you mean 'optimiser.warmup_steps'?"),
        ("rank: 4", "unknown key 'rank'; did you mean 'lora.rank'?"),
        ("lora: {rank: 0}", "lora.rank: "),
        ("lora: {rank: many}", "lora.rank: "),
        ("optimiser: {lr: .nan}", "optimiser.lr: "),
        ("crop: {size: 250}", "crop.size: "),
        ("scope: all", "scope: "),
        ("schedule: {corrections: 3}", "schedule: iterations must be 1 + corrections + mask_only = 6"),
        ("budget: {minutes: 5}", "budget: give epochs or steps"),
        ("cache: {dir: here}", "needs a frozen encoder"),
        ("scope: hq\ncache: {dir: here}", "mirror images only"),
        ("lora: {encoder_last: 2}\ncache: {dir: here}", "mirror images only"),
        ("lora: {encoder_last: 2}\nbatch_norm: running\ncache: {dir: here}", "needs batch_norm frozen"),
        ("scope: hq\nlora: {encoder_last: 2}", "lora.encoder_last is for scopes with the encoder, not hq"),
        ("lora: {encoder_last: 0}", "lora.encoder_last: "),
        ("object_windows: {margin: [2.0, 1.3]}", "object_windows.margin: "),
        ("phantoms: {full_widths: [3000, 1200]}", "phantoms.full_widths: "),
        ("object_windows: {iterations_drawn: {3: 0.5}}", "add up to 1, not 0.5"),
        ("seed: 1\nseed: 2", ", line 2 is not valid YAML ('seed' twice)"),
        ("seed: [1", "is not valid YAML"),
        ("windows: true\nwindowed_objective: true", "'windows' is the old name of 'windowed_objective'"),
        (
            "schedule: {random_clicks: true, random_share: 1}",
            "'schedule.random_clicks' is the old name of 'schedule.random_share'",
        ),
        ("- 1", "a recipe is a mapping"),
        ("", " is empty; a recipe has at least one key, or use one of "),
        ("# nothing", " is empty; "),
        ("null", " is empty; "),
        ("{}", " is empty; "),
    ],
)
def test_mistake_in_a_file(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(file)
    line = str(caught.value)
    assert str(file) in line
    assert message in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimiser.lrr=1", "unknown key 'optimiser.lrr'; did you mean 'optimiser.lr'?"),
        ("optimiser.lr", "write it as key=value"),
        ("optimiser.lr=fast", "optimiser.lr: "),
        ("optimiser.lr=[", "not valid YAML"),
        ("optimiser=3", "optimiser: "),
    ],
)
def test_mistake_in_an_override(override: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("decoder", [override])
    assert override in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"no such recipe.*encoder\+decoder"):
        load_recipe("encoder-decoder")


def test_every_documented_key_of_the_full_recipe_is_in_a_bundled_file() -> None:
    written: set[str] = set()
    for name in ("encoder+decoder", "dentasam-tiny"):
        recipe = Path(__file__).parents[3] / "src/dentasam/assets/recipes" / f"{name}.yaml"
        for key, value in yaml.safe_load(recipe.read_text()).items():
            written.add(key)
            if isinstance(value, dict):
                written |= {f"{key}.{inner}" for inner in value}
    assert set(known_keys()) == written


def test_total_steps_is_the_first_limit() -> None:
    assert load_recipe("encoder", ["budget.epochs=3", "budget.steps=null"]).budget.total_steps(10, 4) == 8
    assert load_recipe("encoder", ["budget.epochs=3", "budget.steps=5"]).budget.total_steps(10, 4) == 5
    assert Recipe(budget={"epochs": 0.01}).budget.total_steps(10, 4) == 1


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ("optimiser.lr=" + "1" * 5000, "not valid YAML (a number with 5000 digits)"),
        ("optimiser.lr=" + "[" * 5000, "not valid YAML (nested more than 50 levels deep)"),
        ("optimiser.lr=!!python/name:os.system", "not valid YAML (the tag !!python/name:os.system is not supported)"),
        ("optimiser.lr=2026-13-45", "optimiser.lr: "),
        ("optimiser.lr=&a [*a]", "not valid YAML (the alias *a stands inside what it repeats)"),
        ("x" * 5000 + "=1", "unknown key 'xxx"),
        ("x" * 5000, "write it as key=value"),
    ],
    ids=["digits", "deep", "tag", "date", "itself", "long key", "no value"],
)
def test_bent_overrides_are_refused_in_a_short_line(item: str, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("decoder", [item])
    assert says in str(caught.value)
    assert len(str(caught.value)) < 500


def test_anchors_and_merges_are_read(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("seed: &s 7\noptimiser: &o {lr: 0.001}\nsteps: *s\n")
    with pytest.raises(RecipeError, match="unknown key 'steps'"):
        load_recipe(path)
    path.write_text("lora: {<<: &l {rank: 3}, alpha: 6}\n")
    assert (load_recipe(path).lora.rank, load_recipe(path).lora.alpha) == (3, 6)
