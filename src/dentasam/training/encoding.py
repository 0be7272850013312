"""What the step takes as its image side: pixels, or the encoder's output where the encoder is frozen."""

from __future__ import annotations

import torch
from torch import Tensor

from dentasam.model.embedding import EncoderOutput
from dentasam.model.sam_hq import SamHQ
from dentasam.training.cache import EmbeddingCache
from dentasam.training.samples import Sample


class Encoding:
    """A model's image side for samples, through the cache on disk where there is one."""

    def __init__(
        self, model: SamHQ, frozen: bool, cache: EmbeddingCache | None, autocast: torch.dtype | None
    ) -> None:
        self.model, self.frozen, self.cache, self.autocast = model, frozen, cache, autocast

    def of_group(self, group: list[Sample]) -> Tensor | EncoderOutput:
        """Pixels of the group (B, 3, h, w), or what the encoder gives for them where it is frozen."""
        if self.frozen:
            outputs = [self.output(sample) for sample in group]
            return EncoderOutput(
                torch.cat([output.features for output in outputs]),
                torch.cat([output.intermediate for output in outputs]),
            )
        return torch.cat([sample.pixels for sample in group if sample.pixels is not None]).to(self.model.device)

    @torch.no_grad()
    def output(self, sample: Sample) -> EncoderOutput:
        """The encoder's output for one sample, stored in the cache where it was not there."""
        output = sample.output
        if output is None and self.cache is not None and sample.cache_key is not None:
            output = self.cache.load(sample.cache_key)  # stored since the sample was loaded
        if output is None:
            assert sample.pixels is not None
            with torch.autocast(
                self.model.device.type,
                dtype=self.autocast or torch.bfloat16,
                enabled=self.autocast is not None,
            ):
                output = self.model.encoder_output(sample.pixels.to(self.model.device), sample.frame)
            if self.cache is None or sample.cache_key is None:
                return output
            output = self.cache.store(sample.cache_key, output)
        return EncoderOutput(
            output.features.to(self.model.device, torch.float32),
            output.intermediate.to(self.model.device, torch.float32),
        )
