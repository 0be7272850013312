"""Training a chart head from a dataset to a folder that `--adapter` takes.

out/adapter/     the adapter with its chart head (or the head alone, for the base without an adapter)
out/embeddings/  the stored views; may be deleted
out/state/       what --resume goes on from
out/recipe.yaml, out/metrics.json
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from dentasam.data.dataset import Dataset
from dentasam.data.record import ImageRecord
from dentasam.errors import DatasetError, OutputError, RecipeError
from dentasam.files.atomic_write import write_atomically
from dentasam.files.output_folder import check_no_links
from dentasam.files.whole_file import copy_whole
from dentasam.model.adapters import folder as adapter_folder
from dentasam.model.chart.chart import Chart
from dentasam.model.chart.charting import chart_with_terms
from dentasam.model.chart.dentition import NUMBERS
from dentasam.model.chart.head import ChartCard, ChartHead, save_head
from dentasam.model.segmenter import Segmenter
from dentasam.progress import Update
from dentasam.training.chart.calibration import ChartScores, calibrate
from dentasam.training.chart.chart_stages import drawn_sets, found_sets, train_finder, train_numberer
from dentasam.training.chart.encoded_views import encode_views
from dentasam.training.chart.view_store import ViewStore, read_view
from dentasam.training.recipe.chart_recipe import ChartRecipe
from dentasam.training.recipe.differences import differences, listed
from dentasam.training.recipe.recipe_file import load_any_recipe, write_recipe
from dentasam.training.run.saved.run_inputs import INPUTS, Input, RunInputs
from dentasam.training.run.saved.run_state import ADAPTER, RECIPE

# Changed whenever states of earlier versions cannot be gone on with.
_METHOD = "chart-2"
METRICS, STATE = "metrics.json", "state"
_BY_CONTENT = ("base", "adapter")

Shown = Callable[[str, str], AbstractContextManager[Update]]


@dataclass(frozen=True)
class ChartRun:
    """The folder with the trained head, and how it does on the validation images."""

    folder: Path
    scores: ChartScores


def train_chart(
    segmenter: Segmenter,
    recipe: ChartRecipe,
    training: Dataset,
    validation: Dataset,
    out: Path,
    shown: Shown,
) -> ChartRun:
    """Train a chart head for a segmenter's model with the adapter in use.

    A run in the same folder, which is for the caller to lock (`RunLock`), goes on where it was.
    shown: a progress line for a stage, by its name and unit.
    Raises DatasetError where the dataset has hardly any FDI numbers, RecipeError where the folder is of another
    recipe or the head to start from is of other sizes, ChartError where there is no such head, OutputError where it
    cannot be written, began on other data or another base, or holds a damaged state.
    """
    for dataset in (training, validation):
        _check_numbers(dataset)
    adapter = segmenter.adapters.identity()
    source = None if segmenter.adapters.in_use is None else adapter_folder.find_adapter(segmenter.adapters.in_use)
    segmenter = segmenter.merged()
    head = _first_head(segmenter, recipe)
    own_head = segmenter.chart_sha256 if recipe.start == "head" else None
    inputs = RunInputs(
        Input(segmenter.info.name, "", segmenter.info.sha256),
        Input.of_adapter(adapter, own_head) if adapter else None,
        Input.of_dataset(training),
        Input.of_dataset(validation),
    )
    inputs.check_same(out)
    folder = out / ADAPTER
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, where the head is to be saved; remove it, or give another --out")
    out.mkdir(parents=True, exist_ok=True)
    inputs.write(out)
    write_recipe(recipe, out / RECIPE)
    store = ViewStore(out / recipe.views.dir)
    with shown("encoding", "views") as update:
        views = encode_views(recipe, segmenter, training, store, update)
    readers = [partial(read_view, path) for path in views]
    # Named by what the run depends on: one on other data, or from another head, begins anew.
    depends = [_METHOD, own_head or "", *(path.name for path in views)]
    state = out / STATE / hashlib.sha256(" ".join(map(str, depends)).encode()).hexdigest()[:16]
    with shown("finder", "steps") as update:
        train_finder(head, recipe, readers, state / "finder.pt", update)
    head.to(segmenter.device)  # where the embeddings are
    with shown("teeth as annotated", "views") as update:
        sets = drawn_sets(views, update)
    with shown("teeth as found", "views") as update:
        sets += found_sets(head, recipe, segmenter, training, state / "found.npz", update)
    head.cpu()
    with shown("numberer", "steps") as update:
        train_numberer(head, recipe, sets, state / "numberer.pt", update)
    head.to(segmenter.device)

    def chart(image: ImageRecord) -> tuple[Chart, np.ndarray]:
        return chart_with_terms(head, segmenter.windows(image.read()))

    scores = calibrate(head, validation.images, chart)
    card = ChartCard(
        segmenter.info.name,
        segmenter.info.sha256,
        adapter.name if adapter else None,
        adapter.weights_sha256 if adapter else None,
        adapter.settings_sha256 if adapter else None,
        recipe.width,
        recipe.detail,
        recipe.numberer_width,
        recipe.model_dump(mode="json"),
        f"{training.path.name}: {len(training.images)} images; {recipe.views.phantoms} phantoms",
        asdict(scores),
    )
    folder.mkdir(parents=True, exist_ok=True)
    if source is not None:
        for name in (adapter_folder.CONFIG, adapter_folder.WEIGHTS, adapter_folder.CARD):
            copy_whole(source / name, folder / name)
    save_head(head, folder, card)
    with write_atomically(out / METRICS) as draft:
        draft.write_text(json.dumps({"chart": asdict(scores)}, indent=2) + "\n", encoding="utf-8")
    return ChartRun(folder, scores)


def _first_head(segmenter: Segmenter, recipe: ChartRecipe) -> ChartHead:
    """The head to train: new, or the adapter's own.

    Raises ChartError where that is to be trained further and there is none, RecipeError where it has other sizes.
    """
    torch.manual_seed(recipe.seed)
    head = ChartHead(recipe.width, recipe.detail, recipe.numberer_width)
    if recipe.start == "head":
        try:
            head.load_state_dict(segmenter.chart_head().state_dict())
        except RuntimeError:
            raise RecipeError(
                "start: head, but the adapter's chart head has other width, detail or numberer_width (its chart.json "
                "says which); give these, or start: new"
            ) from None
    return head


def check_same_recipe(recipe: ChartRecipe, out: Path, resume: bool) -> None:
    """Raises RecipeError for a folder with a run that is not to be gone on with, or of another recipe.

    Raises OutputError where a link lies in a folder that the run writes in. Writes nothing.
    """
    # A folder that is named by its whole path is the user's own choice.
    views = [] if Path(recipe.views.dir).is_absolute() else [recipe.views.dir]
    check_no_links(out, [ADAPTER, STATE, *views])
    if not (out / RECIPE).is_file():
        return
    if not resume:
        raise RecipeError(f"{out}: holds a run already; give --resume to go on with it, or another --out")
    # Base and adapter are compared by content, where that of the run is known.
    changed = differences(load_any_recipe(out / RECIPE), recipe, _BY_CONTENT if (out / INPUTS).exists() else ())
    if changed:
        raise RecipeError(
            f"{out / RECIPE}: the run there has other settings ({listed(changed)}); resume with "
            f"--recipe {out / RECIPE}, or give another --out"
        )


def _check_numbers(dataset: Dataset) -> None:
    teeth = sum(record.category in NUMBERS for image in dataset.images for record in image.objects)
    if not teeth:
        names = sorted({record.category for image in dataset.images for record in image.objects})
        shown = ", ".join(names[:5]) or "none"
        raise DatasetError(
            f"{dataset.path}: no object is named by an FDI number such as 36 (found: {shown}); a chart is trained on "
            "numbered teeth"
        )
