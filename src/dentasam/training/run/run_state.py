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

from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import parse_json
from dentasam.errors import OutputError, RecipeError
from dentasam.files.atomic_write import remove_stale_drafts, write_atomically
from dentasam.files.output_folder import check_no_links, made_folder
from dentasam.training.recipe.differences import differences, listed
from dentasam.training.recipe.recipe_file import load_recipe, write_recipe
from dentasam.training.recipe.settings import Recipe
from dentasam.training.run.run_inputs import INPUTS, RunInputs
from dentasam.training.run.run_lock import LOCK, RunLock
from dentasam.training.run.state_file import read_state, write_state

STATE, METRICS, RECIPE, ADAPTER, MODEL = (
    "last.pt",
    "metrics.jsonl",
    "recipe.yaml",
    "adapter",
    "model.safetensors",
)
_LAYOUT = 1
# Settings that do not change what is learnt; a run may be resumed with other values.
_CHANGEABLE = ("workers", "checkpoint_every", "cache", "decode_memory_mb", "recompute_encoder")


@dataclass
class RunProgress:
    """How far a run is: everything in its state apart from tensors.

    step: finished steps. seconds: the time they took, with their validations. best_score, best_step, dice_at_clicks:
    of the best validation so far. without_gain: validations since then.
    """

    step: int = 0
    seconds: float = 0.0
    best_score: float = float("-inf")
    best_step: int = 0
    without_gain: int = 0
    dice_at_clicks: list[float] = field(default_factory=list)


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
            # Base and adapter are compared by content, where that of the run is known.
            known = ("base", "adapter") if (out / INPUTS).exists() else ()
            _check_same_recipe(out / RECIPE, recipe, (*_CHANGEABLE, *known))
            for folder in (out, out / ADAPTER):
                remove_stale_drafts(folder)
        inputs.write(out)
        write_recipe(recipe, out / RECIPE)
    except BaseException:
        lock.release()
        raise
    return lock


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
) -> None:
    """Write last.pt, as a whole or not at all, and keep the one before. Raises OutputError as `write_state`."""
    state = {
        "layout": _LAYOUT,
        "base_sha256": base_sha256,
        "progressed": {item.name: getattr(progress, item.name) for item in fields(progress)},
        "weights": {name: tensor.detach().cpu() for name, tensor in weights.items()},
        "optimiser": optimiser.state_dict(),
    }
    write_state(out / STATE, state)


def load_state(
    out: Path, weights: dict[str, Tensor], optimiser: torch.optim.Optimizer, base_sha256: str
) -> RunProgress:
    """Read last.pt into the weights and the optimiser; where there is none yet, the run starts at step 0.

    Raises OutputError for a damaged state or one of another base.
    """
    path = out / STATE
    state = read_state(path)
    if state is None:
        return RunProgress()
    try:
        stored, layout, base = state["weights"], state["layout"], state["base_sha256"]
        progress = RunProgress(**state["progressed"])
        if layout != _LAYOUT or base != base_sha256 or stored.keys() != weights.keys():
            raise OutputError(f"{path}: a run on another base model; resume with the --model it began with")
        with torch.no_grad():
            for name, tensor in weights.items():
                tensor.copy_(stored[name])
        optimiser.load_state_dict(state["optimiser"])
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise OutputError(f"{path}: damaged ({type(error).__name__}); start again in another --out") from None
    return progress


def trained_tensors(model: nn.Module, running_statistics: bool) -> dict[str, Tensor]:
    """What training changes, by name: parameters that require gradients, and batch norm statistics where they run."""
    tensors: dict[str, Tensor] = {name: value for name, value in model.named_parameters() if value.requires_grad}
    if running_statistics:
        tensors |= dict(model.named_buffers())
    return tensors


def cut_metrics(path: Path, step: int) -> None:
    """Drop the lines that a killed run wrote after its last checkpoint; the resumed run writes them again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text("utf-8").splitlines():
        try:
            if parse_json(line)["step"] <= step:
                kept.append(line + "\n")
        except (DocumentError, KeyError, TypeError):
            continue  # a line that was cut short
    with write_atomically(path) as draft:
        draft.write_text("".join(kept), "utf-8")


def _check_same_recipe(path: Path, recipe: Recipe, changeable: tuple[str, ...]) -> None:
    changed = differences(load_recipe(path), recipe, changeable)
    if changed:
        raise RecipeError(
            f"{path}: the run began with another recipe (differs in {listed(changed)}); resume with "
            f"--recipe {path}, or choose another --out for the new recipe"
        )
