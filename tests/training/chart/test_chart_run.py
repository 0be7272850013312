"""Training a chart head from a dataset to a folder that charts: whole, interrupted, and refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import dentasam
from dentasam.data.dataset import Dataset
from dentasam.data.phantom import write_phantoms
from dentasam.errors import DatasetError, OutputError, RecipeError
from dentasam.model.chart.dentition import CHART_NAMES, IMPLANT
from dentasam.model.chart.head import CARD, WEIGHTS, load_head
from dentasam.model.checkpoints.reading import sha256_of
from dentasam.model.segmenter import Segmenter, load_torch
from dentasam.progress import Update
from dentasam.training.chart.chart_run import METRICS, check_same_recipe, train_chart
from dentasam.training.chart.view_store import read_view
from dentasam.training.recipe.chart_recipe import ChartRecipe
from dentasam.training.recipe.recipe_file import load_any_recipe, write_recipe

from ...linked_away import linked_away

SETTINGS = (
    *("width=16", "detail=16", "numberer_width=16", "checkpoint_every=1", "layout.crop=0"),
    *("views.per_image=2", "views.phantoms=1", "views.widths=[256, 256]"),
    *("finder.steps=4", "finder.batch=2", "numberer.steps=12", "numberer.batch=4"),
)


class Killed(Exception):
    pass


def shown(kill: tuple[str, int] | None = None) -> Callable[[str, str], AbstractContextManager[Update]]:
    """Progress that is shown to nobody. kill: the name of a stage and the unit after which the run dies."""

    @contextmanager
    def stage(what: str, unit: str) -> Iterator[Update]:
        def update(done: int, total: int, note: str = "") -> None:
            if (what, done) == kill:
                raise Killed

        yield update

    return stage


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset]:
    # As low as a phantom may be, which encodes fast.
    files = [
        write_phantoms(tmp_path_factory.mktemp("data") / str(seed), count, seed, 320, 64, conditions=())
        for count, seed in ((3, 1), (2, 2))
    ]
    training, validation = (Dataset.load(file) for file in files)
    return training, validation


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return load_torch("dentasam-tiny", "panoramic-teeth", "cpu", "fp32")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> ChartRecipe:
    """Runs share their stored views, so that each is encoded once."""
    found = load_any_recipe("chart", [*SETTINGS, f"views.dir={tmp_path_factory.mktemp('views')}"])
    assert isinstance(found, ChartRecipe)
    return found


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
    segmenter: Segmenter,
    recipe: ChartRecipe,
    datasets: tuple[Dataset, Dataset],
) -> Path:
    """The folder of a run that nothing interrupted."""
    out = tmp_path_factory.mktemp("run")
    run = train_chart(segmenter, recipe, *datasets, out, shown())
    assert run.folder == out / "adapter"
    return out


def test_the_folder_is_an_adapter_that_charts(
    whole: Path, recipe: ChartRecipe, datasets: tuple[Dataset, Dataset]
) -> None:
    trained: Segmenter = dentasam.load("dentasam-tiny", adapter=whole / "adapter", device="cpu", precision="fp32")
    assert trained.has_chart
    assert trained.chart_sha256 == sha256_of(whole / "adapter" / WEIGHTS)
    image = datasets[1].images[0].read()
    chart = trained.chart(image)
    assert (chart.height, chart.width) == image.shape
    assert set(chart.numbers) <= set(CHART_NAMES)
    card = load_head(whole / "adapter")[1]
    identity = trained.adapters.identity()
    assert identity is not None
    assert (card.base_model, card.base_sha256) == ("dentasam-tiny", trained.info.sha256)
    assert (card.adapter_sha256, card.adapter_settings_sha256) == (identity.weights_sha256, identity.settings_sha256)
    assert (card.width, card.detail, card.numberer_width) == (16, 16, 16)
    assert card.recipe == recipe.model_dump(mode="json")
    assert card.data == "phantoms.json: 3 images; 1 phantoms"
    metrics = json.loads((whole / METRICS).read_text())["chart"]
    assert card.scores == metrics
    assert set(metrics) == {"precision", "recall", "f1", "numbered"}
    assert load_any_recipe(whole / "recipe.yaml") == recipe


def test_views_are_stored_once_each(whole: Path, recipe: ChartRecipe, datasets: tuple[Dataset, Dataset]) -> None:
    files = list(Path(recipe.views.dir).iterdir())
    assert len(files) == 2 * 3 + 1
    views = [read_view(path) for path in files]
    # The first view of each image is the image as it is, with all of its numbered teeth.
    counts = [sum(record.category in CHART_NAMES for record in image.objects) for image in datasets[0].images]
    assert set(counts) <= {len(view.targets.places) for view in views}
    for view in views:
        assert bool(torch.isfinite(view.features.float()).all())
        height, width = (8 * cells for cells in view.grid)
        assert (view.targets.places >= 0).all()
        assert (view.targets.places <= np.array([width, height] * 3)).all()
    # Those of phantoms are annotated, those of images where any of them has one.
    annotated = any(record.category == IMPLANT for image in datasets[0].images for record in image.objects)
    assert sum(view.implants for view in views) == (len(views) if annotated else 1)


@pytest.mark.parametrize("kill", [("finder", 2), ("numberer", 11)])
def test_a_run_that_was_interrupted_ends_with_the_same_files(
    tmp_path: Path,
    whole: Path,
    segmenter: Segmenter,
    recipe: ChartRecipe,
    datasets: tuple[Dataset, Dataset],
    kill: tuple[str, int],
) -> None:
    with pytest.raises(Killed):
        train_chart(segmenter, recipe, *datasets, tmp_path, shown(kill))
    assert not (tmp_path / "adapter").exists()
    train_chart(segmenter, recipe, *datasets, tmp_path, shown())
    assert (tmp_path / METRICS).read_bytes() == (whole / METRICS).read_bytes()
    for path in sorted((whole / "adapter").iterdir()):
        own = tmp_path / "adapter" / path.name
        if path.name == CARD:
            cards = [json.loads(file.read_text()) for file in (path, own)]
            assert all(card.pop("created") for card in cards)
            assert cards[0] == cards[1]
        else:
            assert own.read_bytes() == path.read_bytes(), path.name


def test_a_damaged_view_is_encoded_again(
    tmp_path: Path, whole: Path, segmenter: Segmenter, recipe: ChartRecipe, datasets: tuple[Dataset, Dataset]
) -> None:
    damaged = sorted(Path(recipe.views.dir).iterdir())[0]
    content = damaged.read_bytes()
    damaged.write_bytes(content[:1000])
    with pytest.raises(Killed):
        train_chart(segmenter, recipe, *datasets, tmp_path, shown(("finder", 1)))
    assert damaged.read_bytes() == content


def test_a_folder_with_a_run_goes_on_with_the_same_recipe_alone(tmp_path: Path) -> None:
    recipe = ChartRecipe(seed=3)
    check_same_recipe(recipe, tmp_path, resume=False)
    check_same_recipe(recipe, tmp_path, resume=True)
    write_recipe(recipe, tmp_path / "recipe.yaml")
    check_same_recipe(recipe, tmp_path, resume=True)
    with pytest.raises(RecipeError, match="holds a run already; give --resume"):
        check_same_recipe(recipe, tmp_path, resume=False)
    with pytest.raises(
        RecipeError, match=r"has other settings \(seed: 4 instead of 3\); resume with --recipe"
    ) as caught:
        check_same_recipe(ChartRecipe(seed=4), tmp_path, resume=True)
    assert str(caught.value).startswith(str(tmp_path / "recipe.yaml"))


def test_a_run_is_resumed_with_its_own_data_alone(
    tmp_path: Path, segmenter: Segmenter, recipe: ChartRecipe, datasets: tuple[Dataset, Dataset]
) -> None:
    with pytest.raises(Killed):
        train_chart(segmenter, recipe, *datasets, tmp_path, shown(("finder", 1)))
    fewer = replace(datasets[0], images=datasets[0].images[1:])
    for given in ((fewer, datasets[1]), (datasets[0], fewer)):
        with pytest.raises(OutputError, match=r"began with the .* data phantoms\.json \(. images, .*; resume with"):
            train_chart(segmenter, recipe, *given, tmp_path, shown())


def test_a_file_in_the_place_of_the_adapter_is_named_before_anything_is_trained(
    tmp_path: Path, segmenter: Segmenter, recipe: ChartRecipe, datasets: tuple[Dataset, Dataset]
) -> None:
    (tmp_path / "adapter").touch()
    with pytest.raises(OutputError, match=r"adapter is a file, where the head is to be saved; remove it"):
        train_chart(segmenter, recipe, *datasets, tmp_path, shown())
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_damaged_sets_are_made_again(
    tmp_path: Path, whole: Path, segmenter: Segmenter, recipe: ChartRecipe, datasets: tuple[Dataset, Dataset]
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    (kept,) = (tmp_path / "run").glob("state/*/found.npz")
    content = kept.read_bytes()
    kept.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    train_chart(segmenter, recipe, *datasets, tmp_path / "run", shown())
    with np.load(kept) as made, np.load(next(whole.glob("state/*/found.npz"))) as before:
        assert all(np.array_equal(made[name], before[name]) for name in before.files)


@pytest.mark.parametrize("which", [0, 1])
def test_a_dataset_without_numbers_is_refused(
    tmp_path: Path, segmenter: Segmenter, datasets: tuple[Dataset, Dataset], which: int
) -> None:
    content = json.loads(datasets[which].path.read_text())
    for category in content["categories"]:
        category["name"] = f"tooth {category['name']}"
    # Beside the images.
    file = datasets[which].path.with_name("unnamed.json")
    file.write_text(json.dumps(content))
    unnamed = Dataset.load(file)
    given = (unnamed, datasets[1]) if which == 0 else (datasets[0], unnamed)
    out = tmp_path / "out"
    with pytest.raises(DatasetError, match="no object is named by an FDI number such as 36") as caught:
        train_chart(segmenter, ChartRecipe(), *given, out, shown())
    assert str(caught.value).startswith(str(file))
    assert not out.exists()


def test_a_run_goes_on_from_the_adapters_own_head(
    tmp_path: Path, whole: Path, recipe: ChartRecipe, datasets: tuple[Dataset, Dataset]
) -> None:
    trained = load_torch("dentasam-tiny", whole / "adapter", "cpu", "fp32")
    # With hardly a step, the weights stay near those that it began with.
    gentle = {"lr": 1e-9, "steps": 1, "weight_decay": 0.0}
    further = recipe.model_copy(
        update={
            "start": "head",
            "seed": recipe.seed + 1,
            "finder": recipe.finder.model_copy(update=gentle),
            "numberer": recipe.numberer.model_copy(update=gentle),
        }
    )
    (tmp_path / "further").mkdir()
    train_chart(trained, further, *datasets, tmp_path / "further", shown())
    before, after = (load_head(folder / "adapter")[0].state_dict() for folder in (whole, tmp_path / "further"))
    for name, weights in before.items():
        if name != "calibration":
            assert torch.allclose(weights, after[name], atol=1e-3), name
    wider = further.model_copy(update={"width": 24})
    with pytest.raises(RecipeError, match="has other width, detail or numberer_width"):
        train_chart(trained, wider, *datasets, tmp_path / "wider", shown())
    assert not (tmp_path / "wider").exists()


@pytest.mark.parametrize("place", ["adapter", "adapter/chart.json", "state", "state/0123/finder.pt", "embeddings"])
def test_nothing_is_written_through_a_link_in_the_folder_of_a_run(tmp_path: Path, place: str) -> None:
    recipe = ChartRecipe()
    (tmp_path / "run" / "notes").mkdir(parents=True)
    (tmp_path / "run" / "notes" / "of the user").symlink_to("elsewhere")
    check_same_recipe(recipe, tmp_path / "run", resume=True)
    with linked_away(tmp_path / "run" / place, tmp_path / "outside"):
        check_same_recipe(recipe, tmp_path / "run", resume=True)
