"""A run's folder, and the state in it from which `--resume` goes on.

    recipe.yaml        the resolved recipe
    metrics.jsonl      a line per step and per validation
    adapter/           the best adapter so far (model.safetensors for full training)
    last.pt            trained weights, optimiser, step and best score at the last checkpoint
    last.previous.pt   the same at the checkpoint before
    inputs.json        base, adapter and data that the run began with, by content

The state holds no random generators: everything drawn in a step is seeded by the recipe's seed and the step, so the
step alone says where the sampler is.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from dentasam.errors import OutputError, RecipeError
from dentasam.files.atomic_write import remove_stale_drafts
from dentasam.files.output_folder import check_no_links, made_folder
from dentasam.training.recipe.differences import differences, listed
from dentasam.training.recipe.recipe_file import load_recipe, write_recipe
from dentasam.training.recipe.settings import Recipe
from dentasam.training.run.saved.best_weights import ADAPTER as ADAPTER
from dentasam.training.run.saved.best_weights import MODEL as MODEL
from dentasam.training.run.saved.run_inputs import INPUTS, RunInputs
from dentasam.training.run.saved.run_lock import LOCK, RunLock
from dentasam.training.run.saved.run_origin import BY_CONTENT, CHANGEABLE, RunOrigin
from dentasam.training.run.saved.state_file import read_state, state_at, way_on, write_state

STATE, METRICS, RECIPE = "last.pt", "metrics.jsonl", "recipe.yaml"
_LAYOUT = 1


@dataclass
class RunProgress:
    """How far a run is: everything in its state apart from tensors.

    step: finished steps. seconds: the time they took, with their validations. best_score, best_step, dice_at_clicks:
    of the best validation so far. without_gain: validations since then. best_sha256: of the best weights as saved;
    None in states of earlier versions.
    """

    step: int = 0
    seconds: float = 0.0
    best_score: float = float("-inf")
    best_step: int = 0
    without_gain: int = 0
    dice_at_clicks: list[float] = field(default_factory=list)
    best_sha256: str | None = None

    def forget_best(self) -> None:
        """The next validation is then the best so far."""
        self.best_score, self.best_step, self.without_gain = float("-inf"), 0, 0
        self.dice_at_clicks, self.best_sha256 = [], None


def open_folder(out: Path, recipe: Recipe, resume: bool, inputs: RunInputs) -> RunLock:
    """Create the run's folder, or check that it holds a run of the same recipe on the same inputs to resume.

    Returns the lock that keeps other runs out. Raises OutputError for a folder in use and for a run on other inputs,
    RecipeError where the run in it has another recipe.
    """
    _check_use(out, resume)
    lock = RunLock(out)
    try:
        # Again: until it was locked, another run may have begun there.
        if _check_use(out, resume):
            inputs.check_same(out)
            known = (out / INPUTS).exists()
            _check_same_recipe(out / RECIPE, recipe, (*CHANGEABLE, *(BY_CONTENT if known else ())))
            for folder in (out, out / ADAPTER):
                remove_stale_drafts(folder)
            write_recipe(recipe, out / RECIPE)
            # Whoever deletes inputs.json goes on with other inputs: the first state of theirs brings it back.
            if known or state_at(out / STATE) is None:
                inputs.write(out)
        else:
            _begin(out, recipe, inputs)
    except BaseException:
        lock.release()
        raise
    return lock


def _begin(out: Path, recipe: Recipe, inputs: RunInputs) -> None:
    """Write what a new run's folder begins with: both files, or none, so that the same command can be run again."""
    try:
        # First what --resume knows a run by, in case the process is killed here.
        write_recipe(recipe, out / RECIPE)
        inputs.write(out)
    except BaseException:
        for name in (RECIPE, INPUTS):
            with suppress(OSError):
                (out / name).unlink()
        raise


def _check_use(out: Path, resume: bool) -> bool:
    """Whether the folder, which is made where it is missing, holds a run to resume. Raises OutputError."""
    used = [name for name in made_folder(out) if name != LOCK]
    if used and not resume:
        raise OutputError(f"{out} is in use (it holds {used[0]}); add --resume to go on, or choose another --out")
    if used and RECIPE not in used:
        raise OutputError(f"{out} holds no training run to resume (no {RECIPE}); choose another --out")
    check_no_links(out)
    return bool(used)


def save_state(
    out: Path,
    progress: RunProgress,
    weights: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    base_sha256: str,
    origin: RunOrigin | None = None,
) -> None:
    """Write last.pt, as a whole or not at all, and keep the one before. Raises OutputError as `write_state`.

    origin: the run that the state belongs to, for `load_state` to compare.
    """
    state = {
        "layout": _LAYOUT,
        "base_sha256": base_sha256,
        "progressed": {item.name: getattr(progress, item.name) for item in fields(progress)},
        "weights": {name: tensor.detach().cpu() for name, tensor in weights.items()},
        "optimiser": optimiser.state_dict(),
    }
    if origin is not None:
        state["origin"] = origin.content()
    write_state(out / STATE, state)


def load_state(
    out: Path,
    weights: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    base_sha256: str,
    origin: RunOrigin | None = None,
) -> RunProgress:
    """Read last.pt into the weights and the optimiser; where there is none yet, the run starts at step 0.

    Raises OutputError for a damaged state, one of another base, and one of another run than `origin`. States of
    earlier versions do not say which run they belong to.
    """
    path = state_at(out / STATE)
    state = read_state(out / STATE)
    if state is None or path is None:
        return RunProgress()
    try:
        other = origin.differs(state["origin"], path) if origin is not None and "origin" in state else None
        if other is not None:
            raise OutputError(
                f"{path}: of another run ({other}); put this run's own in its place, or {way_on(path)}"
                + (
                    ""
                    if "inputs.json" not in other
                    else f" (where that was changed on purpose: delete {out / INPUTS})"
                )
            )
        stored, layout, base = state["weights"], state["layout"], state["base_sha256"]
        progress = RunProgress(**state["progressed"])
        if layout != _LAYOUT or base != base_sha256 or stored.keys() != weights.keys():
            raise OutputError(f"{path}: a run on another base model; resume with the --model it began with")
        with torch.no_grad():
            for name, tensor in weights.items():
                tensor.copy_(stored[name])
        optimiser.load_state_dict(state["optimiser"])
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError):
        raise OutputError(f"{path}: damaged (it holds no state of this run's model); {way_on(path)}") from None
    return progress


def trained_tensors(model: nn.Module, running_statistics: bool) -> dict[str, Tensor]:
    """What training changes, by name: parameters that require gradients, and batch norm statistics where they run."""
    tensors: dict[str, Tensor] = {name: value for name, value in model.named_parameters() if value.requires_grad}
    if running_statistics:
        tensors |= dict(model.named_buffers())
    return tensors


def _check_same_recipe(path: Path, recipe: Recipe, changeable: tuple[str, ...]) -> None:
    changed = differences(load_recipe(path), recipe, changeable)
    if changed:
        raise RecipeError(
            f"{path}: the run began with another recipe (differs in {listed(changed)}); resume with "
            f"--recipe {path}, or choose another --out for the new recipe"
        )
