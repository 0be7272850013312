"""Reading a checkpoint file, in whichever of three layouts, as tensors under the official names.

The layouts are the official `.pth`, transformers' SAM-HQ safetensors, and this package's own safetensors. Nothing
that a file contains is ever executed (`weights_only=True`).
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dentasam.errors import CheckpointError
from dentasam.files.regular_file import check_regular, open_regular
from dentasam.model.checkpoints.key_maps import to_official

# The largest official model has 700 tensors, and 80 kB of names.
MAX_TENSORS, MAX_NAME, MAX_HEADER_BYTES = 50_000, 300, 10 << 20
MAX_WRAPPINGS = 8


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file under the official names.

    Raises:
        CheckpointError: the file is unreadable, truncated, not a checkpoint, or contains code besides tensors.
    """
    try:
        check_regular(path)
        with open_regular(path) as file:
            head = file.read(64)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if head.startswith((b"PK\x03\x04", b"\x80")):
        if head.startswith(b"PK"):
            check_records(path)
        return to_official(_checked(_read_pickle(path), path))
    if len(head) > 9 and head[8:9] == b"{":
        if int.from_bytes(head[:8], "little") > MAX_HEADER_BYTES:
            raise CheckpointError(f"{path}: its header is over {MAX_HEADER_BYTES >> 20} MB; give a SAM-HQ checkpoint")
        return to_official(_checked(_read_safetensors(path), path))
    raise CheckpointError(f"{path}: not a checkpoint, {_looks_like(head)}; give a SAM-HQ .pth or .safetensors file")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with open_regular(path) as file:
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


def check_records(path: Path) -> None:
    """Raises CheckpointError for a ZIP that would unpack to more than the file.

    torch and numpy store records as they are, so that a file of theirs is read within its size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    # zipfile raises these and others on a damaged table.
    except Exception as error:
        raise CheckpointError(f"{path}: damaged or truncated; fetch or copy it again") from error
    if any(record.compress_type != zipfile.ZIP_STORED for record in records):
        raise CheckpointError(f"{path}: holds compressed records, which are not read; save it again with torch.save")
    if len(records) > MAX_TENSORS or sum(record.file_size for record in records) > path.stat().st_size:
        raise CheckpointError(f"{path}: its records overlap or are too many; save it again with torch.save")


def _checked(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The state dict itself. Raises CheckpointError for tensors that have no content of their own in the file."""
    if len(state) > MAX_TENSORS:
        raise CheckpointError(f"{path}: has over {MAX_TENSORS:,} tensors; give a SAM-HQ checkpoint")
    for name, tensor in state.items():
        if (
            len(name) > MAX_NAME
            or tensor.layout != torch.strided
            or tensor.device.type != "cpu"
            or tensor.is_quantized
            or tensor.is_complex()
            or tensor.nbytes > tensor.untyped_storage().nbytes()
        ):
            raise CheckpointError(f"{path}: {name[:MAX_NAME]!r} is not a plain tensor; save it again with torch.save")
    return state


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    # Besides its own errors, those of torch for types that it does not know.
    except (OSError, SafetensorError, RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged or truncated safetensors; fetch or copy it again") from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: holds more than tensors (code or foreign objects) and is not loaded; "
            "save its state dict alone, best as safetensors"
        ) from error
    # A truncated or bent file fails anywhere: in the archive's table, in a record or in the pickle.
    except Exception as error:
        raise CheckpointError(f"{path}: damaged or truncated; fetch or copy it again") from error
    return _state_dict_of(content, path)


def _state_dict_of(content: Any, path: Path, depth: int = 0) -> dict[str, Tensor]:
    """The state dict, without the dictionaries that training scripts wrap around it."""
    if isinstance(content, Mapping) and depth < MAX_WRAPPINGS:
        for wrapping in ("model", "state_dict", "model_state_dict", "module", "network", "net"):
            if isinstance(content.get(wrapping), Mapping):
                return _state_dict_of(content[wrapping], path, depth + 1)
        if _is_state_dict(content):
            return dict(content)
        # Scripts use other names for it too; beside an optimiser's state it is the only one of tensors alone.
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


def _looks_like(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer in place of the file (run `git lfs pull`)"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page saved in its place"
    return "neither a PyTorch nor a safetensors file"
