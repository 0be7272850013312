"""A run's folder, and the state in it from which `--resume` goes on.

    recipe.yaml        the resolved recipe
    metrics.jsonl      a line per step and per validation
    adapter/           the best adapter so far (model.safetensors for full training)
    last.pt            weights that train, optimiser, step and best score, as of the last checkpoint

There is no generator's state in it: whatever is drawn at a step is seeded by the recipe's seed and the step,
so the step alone is the sampler's position.
"""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dentasam.errors import OutputError, RecipeError
from dentasam.output_folder import made_folder
from dentasam.training.recipe import Recipe, load_recipe, write_recipe

STATE, METRICS, RECIPE, ADAPTER, MODEL = (
    "last.pt",
    "metrics.jsonl",
    "recipe.yaml",
    "adapter",
    "model.safetensors",
)
_LAYOUT = 1
# Settings that do not change what is learnt, so that a run may be resumed with others.
_FREE = ("workers", "checkpoint_every", "cache", "decode_memory_mb", "recompute_encoder")


@dataclass
class Progressed:
    """How far a run is: everything in its state apart from tensors."""

    step: int = 0
    seconds: float = 0.0
    best_score: float = float("-inf")
    best_step: int = 0
    without_gain: int = 0
    dice_at_clicks: list[float] = field(default_factory=list)


def open_folder(out: Path, recipe: Recipe, resume: bool) -> None:
    """Make the run's folder, or check that it holds a run of the same recipe to resume.

    Raises OutputError for a folder in use, RecipeError where the recipe of the run in it is another one.
    """
    used = made_folder(out)
    if used and not resume:
        raise OutputError(f"{out} is in use (it holds {used[0]}); add --resume to go on, or choose another --out")
    if used and RECIPE not in used:
        raise OutputError(f"{out} holds no training run to resume (no {RECIPE}); choose another --out")
    if used:
        _same_recipe(out / RECIPE, recipe)
    write_recipe(recipe, out / RECIPE)


def save_state(
    out: Path,
    progressed: Progressed,
    weights: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    base_sha256: str,
) -> None:
    """Write last.pt, complete or not at all."""
    state = {
        "layout": _LAYOUT,
        "base_sha256": base_sha256,
        "progressed": {item.name: getattr(progressed, item.name) for item in fields(progressed)},
        "weights": {name: tensor.detach().cpu() for name, tensor in weights.items()},
        "optimiser": optimiser.state_dict(),
    }
    temporary = out / f".{STATE}.tmp"
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, out / STATE)
    except OSError as fault:
        raise OutputError(f"{out / STATE}: cannot be written ({fault.strerror}); free space and --resume") from None


def load_state(
    out: Path, weights: dict[str, Tensor], optimiser: torch.optim.Optimizer, base_sha256: str
) -> Progressed:
    """Read last.pt into the weights and the optimiser; a fresh start where there is none yet.

    Raises OutputError for a damaged state or one of another base.
    """
    path = out / STATE
    if not path.exists():
        return Progressed()
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        stored, layout = state["weights"], state["layout"]
        progressed = Progressed(**state["progressed"])
    except (
        OSError,
        RuntimeError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
    ) as fault:
        raise OutputError(f"{path}: damaged ({type(fault).__name__}); start again in another --out") from None
    if layout != _LAYOUT or state["base_sha256"] != base_sha256 or stored.keys() != weights.keys():
        raise OutputError(f"{path}: a run on another base model; resume with the --model it began with")
    with torch.no_grad():
        for name, tensor in weights.items():
            tensor.copy_(stored[name])
    optimiser.load_state_dict(state["optimiser"])
    return progressed


def trained_tensors(model: nn.Module, running_statistics: bool) -> dict[str, Tensor]:
    """What training changes: parameters that ask for gradients, and batch norm statistics where they run."""
    tensors: dict[str, Tensor] = {name: value for name, value in model.named_parameters() if value.requires_grad}
    if running_statistics:
        tensors |= dict(model.named_buffers())
    return tensors


def cut_metrics(path: Path, step: int) -> None:
    """Drop the lines that a killed run wrote after its last checkpoint; they are written again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text("utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (json.JSONDecodeError, KeyError, TypeError):
            continue  # a line that the kill cut short
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text("".join(kept), "utf-8")
    os.replace(temporary, path)


def _same_recipe(path: Path, recipe: Recipe) -> None:
    before, now = load_recipe(path).model_dump(mode="json"), recipe.model_dump(mode="json")
    changed = [key for key in now if key not in _FREE and before[key] != now[key]]
    if changed:
        raise RecipeError(
            f"{path}: the run began with another recipe (differs in {', '.join(changed)}); resume with "
            f"--recipe {path}"
        )
