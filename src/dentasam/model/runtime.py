"""Which library computes: torch, or ONNX Runtime on an exported model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from dentasam.errors import CheckpointError
from dentasam.model.checkpoints.registry import NAMES
from dentasam.model.core.frame import Frame
from dentasam.model.core.precision import Precision
from dentasam.model.core.prompt import Prompts
from dentasam.model.decoder.mask_decoder import Output
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.onnx.export import is_export
from dentasam.model.sam_hq import MaskPrediction
from dentasam.model.segmenter import Segmenter, load_torch

RUNTIMES = ("torch", "onnx")


class Network(Protocol):
    """What inference asks of a network: `SamHQ`, or an exported one."""

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def encode(self, pixels: Tensor, frame: Frame) -> ImageEmbedding: ...

    def with_projections(self, embedding: ImageEmbedding) -> ImageEmbedding: ...

    def decode(
        self,
        embedding: ImageEmbedding,
        prompts: Prompts,
        multimask: bool = False,
        output: Output = "sam+hq",
        sparse_upscaling: bool = False,
        budget: int | None = None,
    ) -> MaskPrediction: ...


def load(
    model: str | Path = "dentasam-tiny",
    adapter: str | Path | None = None,
    device: str | torch.device | None = None,
    precision: Precision = "auto",
    *,
    runtime: str | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> Segmenter:
    """Opens a model for prediction.

    Args:
        model: a model's name, the path of a checkpoint, or a folder that `dentasam models export` wrote.
        adapter: the name or the folder of an adapter. An exported folder has its adapter merged in and takes none.
        device: None takes a GPU where there is one. ONNX Runtime computes on the CPU.
        precision: of the image encoder: "fp32", "bf16", or "auto" for bf16 where the device is fast at it.
        runtime: "torch" or "onnx"; None takes ONNX Runtime for an exported folder and torch for everything else.
        announce: is called with one line before something that takes long, such as the export for "onnx".

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
        return load_torch(model, adapter=adapter, device=device, precision=precision)
    if device is not None and torch.device(device).type != "cpu":
        raise CheckpointError(f"{model}: ONNX Runtime computes on the CPU here; leave --device out, or take torch")
    if precision == "bf16":
        raise CheckpointError(f"{model}: ONNX Runtime computes in fp32; leave --precision out, or take torch")
    from dentasam.model.onnx.segmenter import load_onnx

    return load_onnx(model, adapter, announce)


def with_adapter(segmenter: Segmenter, adapter: str | Path | None) -> Segmenter:
    """A new segmenter with another adapter on the same base, in the same runtime. Raises AdapterError."""
    from dentasam.model.onnx.segmenter import OnnxSegmenter, load_onnx

    info = segmenter.info
    base = info.name if info.name in NAMES else info.path
    if isinstance(segmenter, OnnxSegmenter):
        if is_export(info.path):
            segmenter.use_adapter(adapter)  # it has but one
            return segmenter
        return load_onnx(base, adapter)
    return load_torch(base, adapter, segmenter.device, segmenter.precision)
