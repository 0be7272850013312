"""What a training step gets of an image: its pixels, or the output of the encoder's frozen part for them."""

from __future__ import annotations

import torch
from torch import Tensor

from dentasam.model.core.precision import arithmetic
from dentasam.model.embedding import EncoderOutput, EncoderPrefix
from dentasam.model.sam_hq import SamHQ
from dentasam.training.samples.embedding_cache import EmbeddingCache, Encoded
from dentasam.training.samples.sample import Sample


class Encoding:
    """Encodes samples as far as the encoder is frozen, through the cache on disk where there is one.

    frozen: whether the whole encoder is frozen. Where the cache holds the input of the first adapted block, the rest
    of the encoder is computed from it.
    """

    def __init__(
        self, model: SamHQ, frozen: bool, cache: EmbeddingCache | None, autocast: torch.dtype | None
    ) -> None:
        self.model, self.frozen, self.cache, self.autocast = model, frozen, cache, autocast

    def of_group(self, group: list[Sample]) -> Tensor | Encoded:
        """Pixels of the group (B, 3, h, w), or the output of the encoder's frozen part for them."""
        if self.frozen or self.cache is not None:
            return _joined([self._kept(sample) for sample in group])
        device = self.model.device
        pixels = [sample.pixels for sample in group if sample.pixels is not None]
        return torch.cat([part.to(device, non_blocking=True) for part in pixels])

    @torch.no_grad()
    def output(self, sample: Sample) -> EncoderOutput:
        """The encoder's output for one sample, for validation."""
        kept = self._kept(sample)
        if isinstance(kept, EncoderOutput):
            return kept
        with arithmetic(self.autocast, self.model.device):
            return self.model.encoder_rest(kept)

    @torch.no_grad()
    def _kept(self, sample: Sample) -> Encoded:
        """The output of the encoder's frozen part for one sample, stored in the cache if it was not there yet."""
        output = sample.output
        if output is None and self.cache is not None and sample.cache_key is not None:
            output = self.cache.load(sample.cache_key)  # it may have been stored since the sample was loaded
        if output is None:
            assert sample.pixels is not None
            pixels = sample.pixels.to(self.model.device, non_blocking=True)
            with arithmetic(self.autocast, self.model.device):
                if self.cache is None or self.cache.stop is None:
                    output = self.model.encoder_output(pixels, sample.frame)
                else:
                    output = self.model.encoder_prefix(pixels, sample.frame, self.cache.stop)
            if self.cache is None or sample.cache_key is None:
                return output
            output = self.cache.store(sample.cache_key, output)
        return _single(output, self.model.device)


def _single(output: Encoded, device: torch.device) -> Encoded:
    """An output from the cache, in single precision on the device."""

    def moved(part: Tensor) -> Tensor:
        return part.to(device, non_blocking=True).float()

    intermediate = None if output.intermediate is None else moved(output.intermediate)
    if isinstance(output, EncoderPrefix):
        return EncoderPrefix(moved(output.tokens), intermediate, output.stop)
    assert intermediate is not None
    return EncoderOutput(moved(output.features), intermediate)


def _joined(outputs: list[Encoded]) -> Encoded:
    """The outputs of several images as one."""
    parts = [output.intermediate for output in outputs if output.intermediate is not None]
    prefixes = [output for output in outputs if isinstance(output, EncoderPrefix)]
    if prefixes:
        tokens = torch.cat([prefix.tokens for prefix in prefixes])
        return EncoderPrefix(tokens, torch.cat(parts) if parts else None, prefixes[0].stop)
    return EncoderOutput(
        torch.cat([output.features for output in outputs if isinstance(output, EncoderOutput)]), torch.cat(parts)
    )
