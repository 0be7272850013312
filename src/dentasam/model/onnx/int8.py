"""An exported encoder in 8-bit integers, by ONNX Runtime's own quantisation.

Dynamic: the weights of the linear layers are integers, the ranges of what goes into them are found in each image.
Static: those ranges are fixed beforehand from images to calibrate on, for the convolutions too. What is not worth
it stays in float32: norms, softmax, and the whole decoder, whose logits the masks are cut from.
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
from dentasam.model.onnx.export import ENCODER, PIXELS, ExportCard, require

Method = Literal["dynamic", "static"]
_LINEAR = ["MatMul", "Gemm"]
_STATIC = [*_LINEAR, "Conv", "ConvTranspose"]
# In 7 of the 8 bits: products of 8-bit numbers overflow on x86 processors without VNNI instructions.
_WEIGHTS = {"per_channel": True, "reduce_range": True}


def quantise_encoder(folder: Path, method: Method = "dynamic", images: Iterable[np.ndarray] = ()) -> ExportCard:
    """Put an 8-bit encoder in place of an exported model's own, and say so on its card, which is returned.

    images: grayscale (H, W), uint8 or uint16, for the static method to calibrate on; a handful is enough.
    Raises CheckpointError where the folder holds no exported model or one that is quantised already, ValueError for
    the static method without images, ExtraError without the packages for it.
    """
    require("onnx", "onnxruntime")
    card = ExportCard.read(folder)
    if card.int8 is not None:
        raise CheckpointError(f"{folder}: in int8 already ({card.int8}); export the model again")
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix=".quantising-", dir=folder) as made, _quiet():
        prepared, done = Path(made) / "prepared.onnx", Path(made) / ENCODER
        # The symbolic shapes of a free grid are beyond what this step can follow, and nothing here needs them.
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
    """Images as the encoder takes them, one after the other, as the quantiser asks for them."""

    def __init__(self, images: Iterable[np.ndarray]) -> None:
        self.rest = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self.rest, None)
        return None if image is None else {PIXELS: Frame.of(*image.shape).pixels(image).numpy()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's lines on norms, which it leaves alone."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
