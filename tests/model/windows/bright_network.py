"""A network whose answer is known: the bright region at the object's positive clicks, wherever it looks."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dentasam.model.core.frame import LOGIT_STRIDE, PIXEL_MEAN, PIXEL_STD, Frame
from dentasam.model.core.prompt import Prompts
from dentasam.model.decoder.mask_decoder import Output
from dentasam.model.embedding import ImageEmbedding
from dentasam.model.sam_hq import MaskChoices, MaskPrediction

# Gray values above which a pixel belongs to each of the three masks, and to the single one.
LEVELS = (75.0, 188.0, 192.0)
SINGLE = LEVELS[0]
CHOICE_SCORES = (0.9, 0.3, 0.85)


class BrightNetwork:
    """Fulfils `Network`. It ignores negative clicks and earlier logits.

    encoded: how many images each call of `encode` had. fed_back: whether each decode was given earlier logits.
    """

    runtime: Literal["torch"] = "torch"
    takes_windows = True
    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, scores: tuple[float, float, float] = CHOICE_SCORES) -> None:
        self.choice_scores = scores
        self.encoded: list[int] = []
        self.fed_back: list[bool] = []

    def encode(self, pixels: Tensor, frame: Frame) -> ImageEmbedding:
        self.encoded.append(len(pixels))
        gray = pixels[:, :1] * PIXEL_STD[0] + PIXEL_MEAN[0]
        return ImageEmbedding(
            torch.zeros(len(pixels), 1, frame.rows, frame.cols), F.avg_pool2d(gray, LOGIT_STRIDE), frame
        )

    def with_projections(self, embedding: ImageEmbedding) -> ImageEmbedding:
        return embedding

    def decode(
        self,
        embedding: ImageEmbedding,
        prompts: Prompts,
        multimask: bool = False,
        output: Output = "sam+hq",
        sparse_upscaling: bool = False,
        budget: int | None = None,
    ) -> MaskPrediction:
        self.fed_back.append(prompts.logits is not None)
        return MaskPrediction(self._regions(embedding, prompts, SINGLE), torch.full((len(prompts),), 0.9))

    def decode_choices(self, embedding: ImageEmbedding, prompts: Prompts, budget: int | None = None) -> MaskChoices:
        self.fed_back.append(prompts.logits is not None)
        logits = torch.stack([self._regions(embedding, prompts, level) for level in LEVELS], dim=1)
        return MaskChoices(logits, torch.tensor(self.choice_scores).expand(len(prompts), -1))

    def scores(self, embedding: ImageEmbedding, prompts: Prompts) -> Tensor:
        return self.decode(embedding, prompts).scores

    def _regions(self, embedding: ImageEmbedding, prompts: Prompts, level: float) -> Tensor:
        """Logits (P, h, w): a gray value of `level` is 0, and other regions than the clicked ones are -8."""
        found = []
        for index in range(len(prompts)):
            gray = embedding.hq[0 if prompts.image is None else int(prompts.image[index]), 0].numpy()
            regions = cv2.connectedComponents((gray > level).astype(np.uint8))[1]
            origin = np.array(embedding.frame.origin)
            clicked = set()
            for point, label in zip(prompts.points[index].numpy(), prompts.labels[index].tolist(), strict=True):
                if label == 1:
                    x, y = ((point - origin + 0.5) / LOGIT_STRIDE).astype(int)
                    clicked.add(int(regions[y, x]))
            others = (regions > 0) & ~np.isin(regions, sorted(clicked - {0}))
            found.append(np.where(others, -8.0, (gray - level) / 10).astype(np.float32))
        return torch.from_numpy(np.stack(found))
