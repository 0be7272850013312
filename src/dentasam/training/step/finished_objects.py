"""Objects of a training step whose masks are good enough, see `ClickSchedule.done_dice`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Done:
    """Objects that are done: their last loss and Dice stand for the iterations that are left, without a gradient.

    dice: the Dice that is good enough, None where no object is ever done. leave: have them leave the batch, which
    takes asking the device who does; otherwise they stay and count for nothing.
    """

    def __init__(self, dice: float | None, leave: bool) -> None:
        self.dice, self.leave = dice, leave
        self.left: Tensor | float = 0.0  # summed loss and Dice of those that have left, (2,)
        self.last: Tensor | None = None  # loss and Dice of all that are there, (2, P)
        self.staying: Tensor | None = None  # (P,) bool, those that are there and not done

    def counted(self, losses: Tensor) -> Tensor:
        """The losses (P,) of an iteration, 0 without a gradient for those that are done."""
        return losses if self.staying is None else torch.where(self.staying, losses, 0.0)

    def after(self, losses: Tensor, dice: Tensor) -> tuple[Sequence[int], Tensor]:
        """Which objects go on after an iteration, and the summed loss and Dice of all, (2,)."""
        now = torch.stack([losses, dice.to(losses.dtype)])  # (2, P)
        everybody = range(len(dice))
        if self.last is not None and self.staying is not None:
            now = torch.where(self.staying, now, self.last)
        summed = now.sum(dim=1) + self.left
        if self.dice is None:
            return everybody, summed
        if not self.leave:
            stays = dice < self.dice
            self.last, self.staying = now, stays if self.staying is None else self.staying & stays
            return everybody, summed
        going = [index for index, stays in enumerate((dice < self.dice).tolist()) if stays]
        if len(going) < len(everybody):
            self.left = summed - now[:, going].sum(dim=1)
        return going, summed
