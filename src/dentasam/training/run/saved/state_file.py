"""A state of training on disk: a checksum behind it, and the state before it beside it.

A run or a stage of one goes on from `NAME.pt`. The state before that is kept as `NAME.previous.pt`, in case the disk
damages the newer one.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from dentasam.data.notices import notice
from dentasam.errors import CheckpointError, OutputError
from dentasam.files.full_disk import full_disk
from dentasam.files.sealed_file import is_whole, write_sealed
from dentasam.model.checkpoints.reading import check_records

# In every state that has a checksum behind it. One without this key is of an earlier version.
_SEALED = "sealed"
# What torch.load raises for bytes that are no state.
_UNREADABLE = (
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
    pickle.UnpicklingError,
)


def previous_of(path: Path) -> Path:
    """The file of the state before the one in `path`."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state, as a whole or not at all, and keep the one before it. Raises OutputError."""
    content = state | {_SEALED: True}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sealed(path, lambda file: torch.save(content, file), previous_of(path))
    except (OSError, RuntimeError) as error:
        found = full_disk(error) or error
        if not isinstance(found, OSError):
            raise
        raise OutputError(f"{path}: cannot be written ({found.strerror}); free space and --resume") from None


def state_at(path: Path) -> Path | None:
    """The file that `read_state` reads; None where there is none."""
    return next((one for one in (path, previous_of(path)) if one.exists()), None)


def read_state(path: Path) -> dict[str, Any] | None:
    """The state in a file, or the one before it where the file is missing; None where there is neither.

    Nothing of a state is used before its checksum is found right. One without a checksum, of an earlier version, is
    reported in a notice. Raises OutputError for a damaged one.
    """
    found = state_at(path)
    if found is None:
        return None
    state = _checked(found)
    if found != path:
        notice(found, f"is the state before {path.name}, which is missing; the run goes on from here")
    return state


def _checked(path: Path) -> dict[str, Any]:
    try:
        whole = is_whole(path)
        if whole is False:
            raise OutputError(f"{path}: damaged (its checksum does not match); {way_on(path)}")
        check_records(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or (whole is None and _SEALED in state):
            raise ValueError("no state, or one without its checksum")
    except CheckpointError:
        raise OutputError(f"{path}: damaged (its records cannot be read); {way_on(path)}") from None
    except _UNREADABLE as error:
        reason = "it holds no state of training"
        if isinstance(error, OSError):
            reason = error.strerror or reason
        raise OutputError(f"{path}: damaged ({reason}); {way_on(path)}") from None
    if whole is None:
        notice(path, "has no checksum, as written by an earlier version; it is used as it is")
    return state


def way_on(path: Path) -> str:
    """What can be done about a state that cannot be used, for the end of a line."""
    previous = previous_of(path)
    try:
        if previous.exists() and is_whole(previous):
            return f"delete it, and --resume goes on from {previous.name}, the state before it"
    except OSError:
        pass
    return "delete it, and --resume begins anew"
