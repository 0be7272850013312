"""An exported encoder in 8-bit integers, by ONNX Runtime's own quantisation.

Dynamic: the weights of the linear layers are integers, and the ranges of their inputs are determined for each image.
Static: those ranges are fixed beforehand from calibration images, for the convolutions too. Norms, softmax and the
whole decoder, whose logits are thresholded, stay in float32.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from dentasam.errors import CheckpointError
from dentasam.model.core.frame import Frame
from dentasam.model.onnx.export import ENCODER, PIXELS, PLACE, ExportCard, require

Method = Literal["dynamic", "static"]
_LINEAR = ["MatMul", "Gemm"]
_STATIC = [*_LINEAR, "Conv", "ConvTranspose"]
# With 7 of the 8 bits: sums of products of 8-bit numbers overflow on x86 processors without VNNI instructions.
_WEIGHTS = {"per_channel": True, "reduce_range": True}


def quantise_encoder(folder: Path, method: Method = "dynamic", images: Iterable[np.ndarray] = ()) -> ExportCard:
    """Replace the encoder of an exported model by an 8-bit one, and note that on its card, which is returned.

    images: grayscale (H, W), uint8 or uint16, for the static method to calibrate on; a handful is enough.
    Raises CheckpointError where the folder is not an exported model of this version or its encoder is quantised
    already, ValueError for the static method without images, ExtraError without the packages for it.
    """
    require("onnx", "onnxruntime")
    card = ExportCard.read(folder)
    if not card.windows:
        raise CheckpointError(f"{folder}: of an earlier version's format ({card.format}); export the model again")
    if card.int8 is not None:
        raise CheckpointError(f"{folder}: in int8 already ({card.int8}); export the model again")
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix=".quantising-", dir=folder) as made, _quiet():
        prepared, done = Path(made) / "prepared.onnx", Path(made) / ENCODER
        # This step cannot infer the symbolic shapes of a free grid, and quantisation does not need them.
        quant_pre_process(folder / ENCODER, prepared, skip_symbolic_shape=True)
        if method == "dynamic":
            quantize_dynamic(prepared, done, op_types_to_quantize=_LINEAR, weight_type=QuantType.QInt8, **_WEIGHTS)
        else:
            quantize_static(
                prepared,
                done,
                _Inputs(images),
                op_types_to_quantize=_STATIC,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                **_WEIGHTS,
            )
        os.replace(done, folder / ENCODER)
    card = replace(card, int8=method)
    card.write(folder)
    return card


class _Inputs:
    """The encoder's inputs for the calibration images, one after the other, as the quantiser reads them."""

    def __init__(self, images: Iterable[np.ndarray]) -> None:
        self.rest = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self.rest, None)
        if image is None:
            return None
        frame = Frame.of(*image.shape)
        return {PIXELS: frame.pixels(image).numpy(), PLACE: np.array([frame.top, frame.left])}


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser's lines about norms, which it leaves as they are."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
