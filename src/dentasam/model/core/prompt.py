"""What the mask decoder is told about each object: clicks, a box, a previous mask."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

# Fed-back mask logits are kept within this, as SAM trains with them.
LOGIT_LIMIT = 32.0


@dataclass(frozen=True)
class Form:
    """What the prompts of all objects have alike, for whom made them to say: everybody else has to ask the device.

    absent: so many of the first clicks are absent, of every object, and all later ones are there.
    box, mask: whether every object has one, or else none.
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
    form: what is known of the above without a look at them; None where objects may differ.
    """

    points: Tensor
    labels: Tensor
    boxes: Tensor | None = None
    logits: Tensor | None = None
    image: Tensor | None = None
    form: Form | None = None

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, rows: Tensor) -> Prompts:
        """The objects that a mask or an index tensor picks."""
        return Prompts(
            self.points[rows],
            self.labels[rows],
            None if self.boxes is None else self.boxes[rows],
            None if self.logits is None else self.logits[rows],
            None if self.image is None else self.image[rows],
            self.form,
        )

    def to(self, device: torch.device) -> Prompts:
        """The same prompts on another device."""
        fields = (self.points, self.labels, self.boxes, self.logits, self.image)
        moved = tuple(None if field is None else field.to(device) for field in fields)
        return replace(Prompts(*moved), form=self.form)  # type: ignore[arg-type]

    def with_clicks(self, points: Tensor, labels: Tensor, logits: Tensor | None) -> Prompts:
        """One more click per object, (P, 2) and (P,), and the mask logits they correct."""
        return replace(
            self,
            points=torch.cat([self.points, points[:, None].to(self.points)], dim=1),
            labels=torch.cat([self.labels, labels[:, None].to(self.labels)], dim=1),
        ).with_masks(logits)

    def with_masks(self, logits: Tensor | None) -> Prompts:
        """The same prompts with other previous masks, one for every object or none at all."""
        form = None if self.form is None else replace(self.form, mask=logits is not None)
        return replace(self, logits=logits, form=form)

    def groups(self) -> list[Tensor]:
        """Indices of objects whose prompts have the same form.

        A padded click or box would take part in the decoder's attention and change the masks of the others, so
        only objects with as many clicks, and with or without a box alike, are decoded together.
        """
        if self.form is not None:
            return [torch.arange(len(self), device=self.labels.device)]
        form = (self.labels >= 0).sum(dim=1) * 2
        if self.boxes is not None:
            form = form + (~self.boxes.isnan().any(dim=1)).long()
        return [torch.nonzero(form == value)[:, 0] for value in form.unique()]
