"""First prompts that a training step is given, instead of drawing them from the masks at logit resolution."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dentasam.model.core.prompt import Prompts


@dataclass(frozen=True)
class GivenPrompts:
    """The first prompts of P objects, with the mask logits that they correct, and the truth that is clicked on.

    truth: (P, n h, n w) bool, at n times the logits' resolution.
    """

    prompts: Prompts
    truth: Tensor
