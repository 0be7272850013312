"""Saving a model as a checkpoint."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save

from dentasam.errors import CheckpointError
from dentasam.files.atomic_write import write_atomically
from dentasam.model.checkpoints.finite import first_not_finite
from dentasam.model.encoder.encoder_registry import recognise_encoder
from dentasam.model.sam_hq import SamHQ


def save_checkpoint(model: SamHQ, path: str | Path, half: bool = True) -> None:
    """Write a model as safetensors in official names, complete or not at all.

    half: store parameters in fp16. Buffers (running statistics, positional frequencies) stay in fp32: rounding costs
    most there, and they are few.

    Raises:
        ValueError: the model still carries an adapter; merge it first.
        CheckpointError: the file cannot be written, or a number would not be finite in the file.
    """
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    if any("lora_" in name or "modules_to_save" in name for name in state):
        raise ValueError("the model carries an adapter: merge it before saving a checkpoint")
    parameters = {name for name, _ in model.named_parameters()}
    if half:
        state = {name: value.half() if name in parameters else value for name, value in state.items()}
    kind = recognise_encoder(state)
    if kind is None:
        raise ValueError("only models of an official size can be saved")
    path = Path(path)
    broken = first_not_finite(state)
    if broken is not None:
        how = "store it in fp32 (--no-half)" if half else "train with a smaller rate"
        raise CheckpointError(f"{path}: {broken} would not be finite, nothing written; {how}")
    try:
        with write_atomically(path) as draft:
            # not save_file: it makes files that nobody but their owner may read
            draft.write_bytes(
                save(
                    {name: value.contiguous() for name, value in state.items()},
                    metadata={"format": "dentasam", "kind": kind},
                )
            )
    except (OSError, SafetensorError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise CheckpointError(f"{path}: cannot be written ({reason}); check the folder and the free space") from error
