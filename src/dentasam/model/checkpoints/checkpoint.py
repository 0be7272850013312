"""Checkpoints in and out.

Three layouts come in: the official `.pth`, transformers' SAM-HQ safetensors, and our own safetensors. All end
in the official names, and all are held to the same rule: no parameter missing and none left over. Nothing
that a file brings is ever executed (`weights_only=True`).
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dentasam.errors import CheckpointError
from dentasam.model.checkpoints.key_maps import describe, detect_kind, to_official
from dentasam.model.checkpoints.registry import locate
from dentasam.model.sam_hq import Kind, SamHQ, build_sam_hq

_SHOWN_KEYS = 3
# The others are summed as float32, which is what the model holds.
_SUMMED = (torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class ModelInfo:
    """Which model this is: `kind` is vit_tiny, vit_b, vit_l or vit_h; `sha256` that of the file's content."""

    name: str
    kind: str
    sha256: str
    path: Path


@dataclass(frozen=True)
class Inspection:
    """What a checkpoint file holds: number of parameters, the types they are stored in, the file's size."""

    info: ModelInfo
    parameters: int
    dtypes: tuple[str, ...]
    bytes: int


def load_model(name_or_path: str | Path) -> tuple[SamHQ, ModelInfo]:
    """Load a model by its name in the registry or by its path, in float32, in evaluation mode, on the CPU.

    A path may be a file of any of the three layouts or a folder that holds `model.safetensors`.

    Raises:
        CheckpointError: nothing there, not fetched yet, damaged, not finite, or not a SAM-HQ checkpoint.
    """
    model, info, _state = _load(name_or_path)
    return model, info


def inspect_checkpoint(name_or_path: str | Path) -> Inspection:
    """Load a checkpoint as `load_model` does, with all its checks, and tell what it holds.

    Raises:
        CheckpointError: as `load_model`.
    """
    model, info, state = _load(name_or_path)
    return Inspection(
        info,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        dtypes=tuple(sorted({str(state[name].dtype)[6:] for name, _ in model.named_parameters()})),
        bytes=info.path.stat().st_size,
    )


def load_state(model: SamHQ, state: Mapping[str, Tensor], source: str) -> None:
    """Copy a state dict in official names into `model`.

    Raises:
        CheckpointError: a parameter is missing, left over, of another shape or not finite; `source` names the file.
    """
    wanted = model.state_dict()
    missing = [key for key in wanted if key not in state]
    left_over = [key for key in state if key not in wanted]
    reshaped = [
        f"{key} {tuple(state[key].shape)} for {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in state and state[key].shape != tensor.shape
    ]
    faults = [
        f"{title} {_shortened(keys)}"
        for title, keys in (("missing", missing), ("left over", left_over), ("of another shape", reshaped))
        if keys
    ]
    if faults:
        raise CheckpointError(f"{source}: {'; '.join(faults)}; {describe(state)}")
    broken = first_not_finite(state)
    if broken is not None:
        raise CheckpointError(f"{source}: {broken} holds NaN or infinite numbers; take another checkpoint of the run")
    model.load_state_dict(state)


def first_not_finite(state: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds a NaN or an infinity, or a number beyond float32, or None.

    A sum is ten times as fast as a look at each number. It may overflow where all are finite, so it only decides
    which tensors are looked at.
    """
    for name, given in state.items():
        tensor = given if given.dtype in _SUMMED else given.float()
        if not torch.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():
            return name
    return None


def save_checkpoint(model: SamHQ, path: str | Path, half: bool = True) -> None:
    """Write a model as safetensors in official names, complete or not at all.

    With `half`, parameters are stored in fp16; buffers (running statistics, the positional frequencies) stay
    in fp32: rounding costs most there, and they are few.

    Raises:
        ValueError: the model still carries an adapter; merge it first.
        CheckpointError: the file cannot be written, or a number is not finite as it is stored.
    """
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    if any("lora_" in name or "modules_to_save" in name for name in state):
        raise ValueError("the model carries an adapter: merge it before saving a checkpoint")
    parameters = {name for name, _ in model.named_parameters()}
    if half:
        state = {name: value.half() if name in parameters else value for name, value in state.items()}
    kind = detect_kind(state)
    if kind is None:
        raise ValueError("only models of an official size can be saved")
    path = Path(path)
    broken = first_not_finite(state)
    if broken is not None:
        how = "store it in fp32 (--no-half)" if half else "train with a smaller rate"
        raise CheckpointError(f"{path}: {broken} would not be finite, nothing written; {how}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # not save_file: it makes files that nobody but their owner may read
        temporary.write_bytes(
            save(
                {name: value.contiguous() for name, value in state.items()},
                metadata={"format": "dentasam", "kind": kind},
            )
        )
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be written ({error}); check the folder and the free space") from error
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file under the official names.

    Raises:
        CheckpointError: the file is unreadable, truncated, not a checkpoint, or carries code beside tensors.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if head.startswith((b"PK\x03\x04", b"\x80")):
        return to_official(_read_pickle(path))
    if len(head) > 9 and head[8:9] == b"{":
        return to_official(_read_safetensors(path))
    raise CheckpointError(f"{path}: not a checkpoint, {_seems(head)}; give a SAM-HQ .pth or .safetensors file")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_of(path: Path) -> Path:
    """The checkpoint file of a path that may be a folder as transformers writes it. Raises CheckpointError."""
    if not path.is_dir():
        return path
    if (path / "adapter_config.json").is_file():
        raise CheckpointError(f"{path}: an adapter, not a model: give it as the adapter, with its base as the model")
    if (path / "model.safetensors").is_file():
        return path / "model.safetensors"
    raise CheckpointError(f"{path}: a folder without model.safetensors; give the checkpoint file itself")


def _load(name_or_path: str | Path) -> tuple[SamHQ, ModelInfo, dict[str, Tensor]]:
    name, path = locate(name_or_path)
    path = file_of(path)
    state = read_checkpoint(path)
    kind = detect_kind(state)
    if kind is None:
        raise CheckpointError(f"{path}: no SAM-HQ checkpoint of a known size; {describe(state)}")
    model = build_sam_hq(cast(Kind, kind))
    load_state(model, state, str(path))
    return model.eval(), ModelInfo(name, kind, sha256_of(path), path), state


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: damaged or truncated safetensors; fetch or copy it again") from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: holds more than tensors (code or foreign objects) and is not loaded; "
            "save its state dict alone, best as safetensors"
        ) from error
    # A cut file fails wherever it was cut: in the archive's table, in a record, in the pickle itself.
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged or truncated; fetch or copy it again") from error
    return _state_dict_of(content, path)


def _state_dict_of(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dict itself, out of the wrappings that training scripts put around it."""
    if isinstance(content, Mapping):
        for wrapping in ("model", "state_dict", "model_state_dict", "module", "network", "net"):
            if isinstance(content.get(wrapping), Mapping):
                return _state_dict_of(content[wrapping], path)
        if _is_state_dict(content):
            return dict(content)
        # Scripts have names of their own for it; beside an optimiser's state it is the only one of tensors alone.
        inner = [value for value in content.values() if _is_state_dict(value)]
        if len(inner) == 1:
            return dict(inner[0])
        # Some put the epoch or the loss beside the tensors.
        tensors = {name: value for name, value in content.items() if not isinstance(value, int | float | str | None)}
        if _is_state_dict(tensors):
            return tensors
    raise CheckpointError(f"{path}: holds no state dict; give a SAM-HQ .pth or .safetensors file")


def _is_state_dict(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items())
    )


def _seems(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer in place of the file (run `git lfs pull`)"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page saved in its place"
    return "neither a PyTorch nor a safetensors file"


def _shortened(keys: Collection[str]) -> str:
    shown = ", ".join(list(keys)[:_SHOWN_KEYS])
    rest = len(keys) - _SHOWN_KEYS
    return f"{shown} and {rest} more" if rest > 0 else shown
