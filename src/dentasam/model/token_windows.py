"""Windows of tokens: where an object's mask is worth computing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TokenWindows:
    """A window of `rows` x `cols` tokens for each of P objects, its first token at (top[p], left[p]).

    objects: which of the maps each window lies on, None where there is one for each map, in their order.
    """

    top: list[int]
    left: list[int]
    rows: int
    cols: int
    objects: list[int] | None = None

    def cut(self, maps: Tensor) -> Tensor:
        """(P, C, h, w) to (P, C, rows, cols)."""
        views = maps.unbind()
        objects = range(len(views)) if self.objects is None else self.objects
        return torch.stack(
            [
                views[index][:, top : top + self.rows, left : left + self.cols]
                for index, top, left in zip(objects, self.top, self.left, strict=True)
            ]
        )

    def cut_shared(self, maps: Tensor, image: Tensor | None, scale: int) -> Tensor:
        """(B, C, scale h, scale w) of the images to (P, C, scale rows, scale cols) of the objects."""
        images = [0] * len(self.top) if image is None else image.tolist()
        views = maps.unbind()
        rows, cols = scale * self.rows, scale * self.cols
        return torch.stack(
            [
                views[index][:, scale * top : scale * top + rows, scale * left : scale * left + cols]
                for index, top, left in zip(images, self.top, self.left, strict=True)
            ]
        )
