"""Crops of feature maps, in tokens: the part of the grid in which an object's mask is computed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TokenCrops:
    """A crop of `rows` x `cols` tokens for each of P objects, whose first token is at (top[p], left[p]).

    top, left: lists, or tensors (P,) on a device; with tensors the crops are gathered on the device, without a
    device synchronisation.
    objects: which map each crop is cut from; None where there is one map per crop, in the same order.
    """

    top: list[int] | Tensor
    left: list[int] | Tensor
    rows: int
    cols: int
    objects: list[int] | None = None

    def finer(self, scale: int) -> TokenCrops:
        """The same crops in units of 1 / `scale` token."""
        top, left = (
            scale * starts if isinstance(starts, Tensor) else [scale * start for start in starts]
            for starts in (self.top, self.left)
        )
        return TokenCrops(top, left, scale * self.rows, scale * self.cols, self.objects)

    def cut(self, maps: Tensor) -> Tensor:
        """Crops (P, C, rows, cols) of the objects' maps (P, C, h, w)."""
        if isinstance(self.top, Tensor) or isinstance(self.left, Tensor):
            return self._gathered(maps)
        views = maps.unbind()
        objects = range(len(views)) if self.objects is None else self.objects
        return torch.stack(
            [
                views[index][:, top : top + self.rows, left : left + self.cols]
                for index, top, left in zip(objects, self.top, self.left, strict=True)
            ]
        )

    def cut_shared(self, maps: Tensor, image: Tensor | None, scale: int) -> Tensor:
        """Crops (P, C, scale rows, scale cols) of the images' maps (B, C, scale h, scale w).

        image: (P,), which image each object belongs to; None where all belong to the first.
        """
        unknown = image is not None and image.device.type != "cpu"
        if isinstance(self.top, Tensor) or isinstance(self.left, Tensor) or unknown:
            shared = maps[:1].expand(len(self.top), -1, -1, -1) if image is None else maps[image]
            return self.finer(scale)._gathered(shared)
        images = [0] * len(self.top) if image is None else image.tolist()
        views = maps.unbind()
        rows, cols = scale * self.rows, scale * self.cols
        return torch.stack(
            [
                views[index][:, scale * top : scale * top + rows, scale * left : scale * left + cols]
                for index, top, left in zip(images, self.top, self.left, strict=True)
            ]
        )

    def _gathered(self, maps: Tensor) -> Tensor:
        objects, channels, _, width = maps.shape
        down, across = (
            torch.as_tensor(starts, device=maps.device)[:, None] + torch.arange(length, device=maps.device)
            for starts, length in ((self.top, self.rows), (self.left, self.cols))
        )
        strip = maps.gather(2, down[:, None, :, None].expand(objects, channels, -1, width))
        return strip.gather(3, across[:, None, None, :].expand(objects, channels, self.rows, -1))
