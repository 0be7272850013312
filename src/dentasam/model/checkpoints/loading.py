"""Loading a model from a checkpoint, by name or path, and inspecting one.

All layouts are held to the same rule: no parameter may be missing and none left over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dentasam.errors import CheckpointError
from dentasam.model.checkpoints.finite import first_not_finite
from dentasam.model.checkpoints.key_maps import describe
from dentasam.model.checkpoints.reading import file_of, read_checkpoint, sha256_of
from dentasam.model.checkpoints.registry import locate
from dentasam.model.encoder.encoder_registry import recognise_encoder
from dentasam.model.sam_hq import SamHQ, build_sam_hq

_SHOWN_KEYS = 3


@dataclass(frozen=True)
class ModelInfo:
    """Which model this is.

    kind: its encoder, one of `ENCODERS`. sha256: of the checkpoint file. path: of that file, or of the folder for an
    exported model. int8: how the encoder is quantised, "dynamic" or "static", or None.
    """

    name: str
    kind: str
    sha256: str
    path: Path
    int8: str | None = None


@dataclass(frozen=True)
class Inspection:
    """What a checkpoint file contains: number of parameters, the types they are stored in, size of the file."""

    info: ModelInfo
    parameters: int
    dtypes: tuple[str, ...]
    bytes: int


def load_model(name_or_path: str | Path) -> tuple[SamHQ, ModelInfo]:
    """Load a model by its name in the registry or by its path, in float32, in evaluation mode, on the CPU.

    A path may be a file of any of the three layouts or a folder with a `model.safetensors` in it.

    Raises:
        CheckpointError: the file is missing, not fetched yet, damaged, has numbers that are not finite, or is not a
            SAM-HQ checkpoint.
    """
    model, info, _state = _load(name_or_path)
    return model, info


def inspect_checkpoint(name_or_path: str | Path) -> Inspection:
    """Load a checkpoint as `load_model` does, with all its checks, and return what it contains.

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
    differences = [
        f"{title} {_shortened(keys)}"
        for title, keys in (("missing", missing), ("left over", left_over), ("of another shape", reshaped))
        if keys
    ]
    if differences:
        raise CheckpointError(f"{source}: {'; '.join(differences)}; {describe(state)}")
    broken = first_not_finite(state)
    if broken is not None:
        raise CheckpointError(f"{source}: {broken} holds NaN or infinite numbers; take another checkpoint of the run")
    model.load_state_dict(state)


def _load(name_or_path: str | Path) -> tuple[SamHQ, ModelInfo, dict[str, Tensor]]:
    name, path = locate(name_or_path)
    path = file_of(path)
    state = read_checkpoint(path)
    kind = recognise_encoder(state)
    if kind is None:
        raise CheckpointError(f"{path}: not a SAM-HQ checkpoint of a known size; {describe(state)}")
    model = build_sam_hq(kind)
    load_state(model, state, str(path))
    return model.eval(), ModelInfo(name, kind, sha256_of(path), path), state


def _shortened(keys: Collection[str]) -> str:
    shown = ", ".join(list(keys)[:_SHOWN_KEYS])
    rest = len(keys) - _SHOWN_KEYS
    return f"{shown} and {rest} more" if rest > 0 else shown
