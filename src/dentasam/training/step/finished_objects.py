"""Objects of a training step whose masks are good enough, see `ClickSchedule.done_dice`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class FinishedObjects:
    """Keeps the last loss and Dice of finished objects, which count for the remaining iterations without a gradient.

    dice: the Dice that is good enough; None where no object ever finishes.
    leave: finished objects leave the batch, which means to wait for the device to say which they are. Otherwise they
        stay in the batch, and their new results count for nothing.
    """

    def __init__(self, dice: float | None, leave: bool) -> None:
        self.dice, self.leave = dice, leave
        self.left: Tensor | float = 0.0  # summed loss and Dice of the objects that have left, (2,)
        self.last: Tensor | None = None  # last counted loss and Dice of the objects in the batch, (2, P)
        self.unfinished: Tensor | None = None  # (P,) bool

    def counted(self, losses: Tensor) -> Tensor:
        """The losses (P,) of an iteration, with 0 and no gradient for finished objects."""
        return losses if self.unfinished is None else torch.where(self.unfinished, losses, 0.0)

    def after(self, losses: Tensor, dice: Tensor) -> tuple[Sequence[int], Tensor]:
        """Which objects go on after an iteration, and the loss and Dice summed over all objects, (2,)."""
        now = torch.stack([losses, dice.to(losses.dtype)])  # (2, P)
        everybody = range(len(dice))
        if self.last is not None and self.unfinished is not None:
            now = torch.where(self.unfinished, now, self.last)
        summed = now.sum(dim=1) + self.left
        if self.dice is None:
            return everybody, summed
        if not self.leave:
            unfinished = dice < self.dice
            self.last = now
            self.unfinished = unfinished if self.unfinished is None else self.unfinished & unfinished
            return everybody, summed
        remaining = [index for index, goes_on in enumerate((dice < self.dice).tolist()) if goes_on]
        if len(remaining) < len(everybody):
            self.left = summed - now[:, remaining].sum(dim=1)
        return remaining, summed
