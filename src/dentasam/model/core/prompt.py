"""The prompts that the mask decoder gets for each object: clicks, a box, the mask of the previous decode."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

# Mask logits that are fed back are clamped to ±LOGIT_LIMIT, as in SAM's training.
LOGIT_LIMIT = 32.0


@dataclass(frozen=True)
class PromptLayout:
    """Which prompts every object of a batch has, where whoever made them knows it.

    Without it, the layout has to be read from the tensors, which costs a device synchronisation on a GPU.

    absent: how many of the first clicks are absent, for every object; all later ones are present.
    box, mask: whether every object has a box or a previous mask; if not, none has.
    """

    absent: int = 0
    box: bool = False
    mask: bool = False


@dataclass(frozen=True)
class Prompts:
    """Prompts of P objects, in frame pixels.

    points: (P, k, 2) float x, y.
    labels: (P, k) int, 1 positive, 0 negative, -1 where an object has no such click.
    boxes: (P, 4) float x0, y0, x1, y1, or None; a row of NaN is an object without a box.
    logits: (P, 4 rows, 4 cols) float, the previous mask's logits, or None; a mask of NaN is an object without one.
    image: (P,) long, which image of the embedding each object belongs to; None when there is one image.
    layout: which of the above every object has; None where objects may differ.
    """

    points: Tensor
    labels: Tensor
    boxes: Tensor | None = None
    logits: Tensor | None = None
    image: Tensor | None = None
    layout: PromptLayout | None = None

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, rows: Tensor) -> Prompts:
        """The objects that a boolean mask or an index tensor selects."""
        return Prompts(
            self.points[rows],
            self.labels[rows],
            None if self.boxes is None else self.boxes[rows],
            None if self.logits is None else self.logits[rows],
            None if self.image is None else self.image[rows],
            self.layout,
        )

    def to(self, device: torch.device) -> Prompts:
        """The same prompts on another device."""

        def moved(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device)

        return replace(
            self,
            points=self.points.to(device),
            labels=self.labels.to(device),
            boxes=moved(self.boxes),
            logits=moved(self.logits),
            image=moved(self.image),
        )

    def with_clicks(self, points: Tensor, labels: Tensor, logits: Tensor | None) -> Prompts:
        """The prompts with one more click per object, (P, 2) and (P,), and the mask logits that it corrects."""
        return replace(
            self,
            points=torch.cat([self.points, points[:, None].to(self.points)], dim=1),
            labels=torch.cat([self.labels, labels[:, None].to(self.labels)], dim=1),
        ).with_masks(logits)

    def with_masks(self, logits: Tensor | None) -> Prompts:
        """The same prompts with other previous masks: one for every object, or None for no masks."""
        layout = None if self.layout is None else replace(self.layout, mask=logits is not None)
        return replace(self, logits=logits, layout=layout)

    def groups(self) -> list[Tensor]:
        """Indices of the objects that can be decoded together: as many clicks each, and all or none with a box.

        A padded click or box would take part in the decoder's attention and change the masks of the other objects.
        """
        if self.layout is not None:
            return [torch.arange(len(self), device=self.labels.device)]
        layout = (self.labels >= 0).sum(dim=1) * 2
        if self.boxes is not None:
            layout = layout + (~self.boxes.isnan().any(dim=1)).long()
        return [torch.nonzero(layout == value)[:, 0] for value in layout.unique()]
