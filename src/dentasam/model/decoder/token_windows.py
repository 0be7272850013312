"""Windows of tokens: where an object's mask is worth computing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TokenWindows:
    """A window of `rows` x `cols` tokens for each of P objects, its first token at (top[p], left[p]).

    Places that only a device knows, as tensors (P,) there, are never asked for: such windows are gathered.
    objects: which of the maps each window lies on, None where there is one for each map, in their order.
    """

    top: list[int] | Tensor
    left: list[int] | Tensor
    rows: int
    cols: int
    objects: list[int] | None = None

    def finer(self, scale: int) -> TokenWindows:
        """The same windows in units of a `scale`th of a token."""
        top, left = (
            scale * starts if isinstance(starts, Tensor) else [scale * start for start in starts]
            for starts in (self.top, self.left)
        )
        return TokenWindows(top, left, scale * self.rows, scale * self.cols, self.objects)

    def cut(self, maps: Tensor) -> Tensor:
        """(P, C, h, w) to (P, C, rows, cols)."""
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
        """(B, C, scale h, scale w) of the images to (P, C, scale rows, scale cols) of the objects."""
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
