"""The run that a state belongs to: what its recipe asks for, and its inputs by content.

Every state says so, so that the state of another run, copied into a run's folder, is not gone on with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dentasam.errors import RecipeError
from dentasam.training.recipe.differences import differences, listed
from dentasam.training.recipe.recipe_file import recipe_of
from dentasam.training.recipe.settings import Recipe
from dentasam.training.run.saved.run_inputs import KINDS, RunInputs

# Settings that do not change what is learnt; a run may be resumed with other values.
CHANGEABLE = ("workers", "checkpoint_every", "cache", "decode_memory_mb", "recompute_encoder")
# Inputs may have moved: they are compared by content.
BY_CONTENT = ("base", "adapter")


@dataclass(frozen=True)
class RunOrigin:
    """recipe: all of it, since later versions may add settings. inputs: None where other inputs are wanted."""

    recipe: Recipe
    inputs: RunInputs | None

    def content(self) -> dict[str, Any]:
        """What a state holds of it, as plain numbers and texts."""
        given = {kind: getattr(self.inputs, kind, None) for kind in KINDS}
        hashes = {kind: one.sha256 if one else None for kind, one in given.items()}
        return {"recipe": self.recipe.model_dump(mode="json"), "inputs": hashes}

    def differs(self, content: Any, path: Path) -> str | None:
        """In what the run that wrote the content into `path` is another one; None for this run.

        Raises TypeError or ValueError for content that no state holds.
        """
        if not isinstance(content, Mapping):
            raise TypeError("no origin")
        recipe, hashes = content.get("recipe"), content.get("inputs")
        if not isinstance(recipe, dict) or not isinstance(hashes, Mapping):
            raise TypeError("no origin")
        try:
            before = recipe_of(recipe, str(path))
        except RecipeError as error:
            raise ValueError(str(error)) from None
        if not isinstance(before, Recipe):
            raise TypeError("no recipe of a run")
        changed = differences(before, self.recipe, (*CHANGEABLE, *BY_CONTENT))
        if changed:
            return f"its recipe differs in {listed(changed)}"
        if self.inputs is not None:
            for kind, word in KINDS.items():
                now = getattr(self.inputs, kind)
                if hashes.get(kind) != (now and now.sha256):
                    return f"{word} is not that of inputs.json"
        return None
