"""What a segmenter asks of a network, whichever library computes it."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

from dentasam.model.core.frame import Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.decoder.mask_decoder import Output
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.sam_hq import MaskChoices, MaskPrediction


class Network(Protocol):
    """A network that encodes images and decodes masks: `SamHQ` on torch, `OnnxNetwork` on ONNX Runtime.

    Threads may call it at once, as long as nobody changes its adapter.
    """

    @property
    def runtime(self) -> Literal["torch", "onnx"]:
        """Which library computes."""
        ...

    @property
    def device(self) -> torch.device:
        """Where pixels, embeddings and prompts have to be, and where results are."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """The type in which `decode` takes embeddings."""
        ...

    @property
    def takes_windows(self) -> bool:
        """Whether it encodes object windows and gives choices; False for models that were exported before those."""
        ...

    def encode(self, pixels: Tensor, frame: Frame) -> ImageEmbedding:
        """The embedding of pixels (B, 3, 16 rows, 16 cols) of B images or windows with one frame."""
        ...

    def with_projections(self, embedding: ImageEmbedding) -> ImageEmbedding:
        """The embedding with all that `decode` computes from the image alone, for repeated decodes."""
        ...

    def decode(
        self,
        embedding: ImageEmbedding,
        prompts: Prompts,
        multimask: bool = False,
        output: Output = "sam+hq",
        sparse_upscaling: bool = False,
        budget: int | None = None,
    ) -> MaskPrediction:
        """Mask logits and predicted IoU of P objects; see `SamHQ.decode`."""
        ...

    def decode_choices(self, embedding: ImageEmbedding, prompts: Prompts, budget: int | None = None) -> MaskChoices:
        """The three masks that an ambiguous prompt may mean, with a score each; see `SamHQ.decode_choices`."""
        ...

    def scores(self, embedding: ImageEmbedding, prompts: Prompts) -> Tensor:
        """The predicted IoU (P,) of objects with one prompt layout, which may spare computing their masks."""
        ...
