"""Opening a model for prediction, on torch or, exported, on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from dentasam.errors import CheckpointError
from dentasam.model.checkpoints.registry import NAMES
from dentasam.model.core.precision import Precision
from dentasam.model.onnx.export import is_export
from dentasam.model.segmenter import Segmenter, load_torch

RUNTIMES = ("torch", "onnx")


def load(
    model: str | Path = "dentasam-tiny",
    adapter: str | Path | None = None,
    device: str | torch.device | None = None,
    precision: Precision = "auto",
    *,
    chart: str | Path | None = None,
    runtime: str | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> Segmenter:
    """Opens a model for prediction.

    Args:
        model: a model's name, the path of a checkpoint, or a folder that `dentasam models export` wrote.
        adapter: the name or the folder of an adapter. An exported folder has its adapter merged in and takes none.
        device: None takes a GPU where there is one. ONNX Runtime computes on the CPU.
        precision: of the image encoder: "fp32", "bf16", or "auto" for bf16 where the device is fast at it.
        chart: the folder of a chart head, where it is not in the adapter's own folder.
        runtime: "torch" or "onnx"; None takes ONNX Runtime for an exported folder and torch for everything else.
        announce: called with one line before something that takes long, such as the export for "onnx".

    Raises:
        CheckpointError: the model cannot be read, or does not go with the runtime, the device or the precision.
        AdapterError: the adapter cannot be read, or was trained on another base model.
        ExtraError: ONNX Runtime is not installed.
    """
    if runtime not in (None, *RUNTIMES):
        raise ValueError(f"runtime must be one of {', '.join(RUNTIMES)}, got {runtime!r}")
    exported = is_export(model)
    if runtime == "torch" and exported:
        raise CheckpointError(f"{model}: an exported model; leave --runtime out, or give the checkpoint itself")
    if runtime == "torch" or not (runtime or exported):
        return load_torch(model, adapter=adapter, device=device, precision=precision, chart=chart)
    if device is not None and torch.device(device).type != "cpu":
        raise CheckpointError(f"{model}: ONNX Runtime computes on the CPU here; leave --device out, or take torch")
    if precision == "bf16":
        raise CheckpointError(f"{model}: ONNX Runtime computes in fp32; leave --precision out, or take torch")
    from dentasam.model.onnx.loading import load_onnx

    return load_onnx(model, adapter, announce, chart)


def with_adapter(segmenter: Segmenter, adapter: str | Path | None) -> Segmenter:
    """A segmenter with another adapter on the same base, in the same runtime; itself for an exported folder.

    Raises AdapterError where the adapter cannot be read or does not fit, which it never does in an exported folder
    unless it is the one that was merged in.
    """
    info = segmenter.info
    if is_export(info.path):
        segmenter.use_adapter(adapter)
        return segmenter
    base = info.name if info.name in NAMES else info.path
    return load(base, adapter, segmenter.device, segmenter.precision, runtime=segmenter.model.runtime)
