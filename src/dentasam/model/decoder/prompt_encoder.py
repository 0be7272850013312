"""Sparse and dense prompt embeddings, after Segment Anything's `prompt_encoder.py` (Kirillov et al., 2023)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from dentasam.model.core.effective_weights import Affine, effective_weights
from dentasam.model.core.frame import LONGEST, PATCH
from dentasam.model.core.layers import LayerNorm2d
from dentasam.model.core.prompt import Prompts
from dentasam.model.decoder.cross_attention import OwnTokens

GRID = LONGEST // PATCH
ROLES = ("negative click", "positive click", "box's first corner", "box's second corner")


class PositionEmbeddingRandom(nn.Module):
    """Positional encoding by random spatial frequencies."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, features: int = 128) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, features))

    def encode(self, unit: Tensor) -> Tensor:
        """Encodings (..., 2 * features) of positions (..., 2) x, y in 0..1."""
        matrix = self.positional_encoding_gaussian_matrix.float()
        angles = 2 * math.pi * ((2 * unit.float() - 1) @ matrix)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    def grid(self, rows: int, cols: int, top: int | Tensor = 0, left: int | Tensor = 0) -> Tensor:
        """Encodings (256, rows, cols) of the tokens from (top, left) on in the 64 x 64 grid."""
        device = self.positional_encoding_gaussian_matrix.device
        y = (torch.arange(rows, device=device) + top + 0.5) / GRID
        x = (torch.arange(cols, device=device) + left + 0.5) / GRID
        unit = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        return self.encode(unit).permute(2, 0, 1)


@dataclass(frozen=True)
class DensePrompt:
    """Dense prompt embeddings of P objects, which are added to the image embedding.

    shared: (256,), added to every token for all objects. own: what each object's previous mask adds, or None.
    """

    shared: Tensor
    own: OwnTokens | None = None


class PromptEncoder(nn.Module):
    """Sparse embeddings of clicks and boxes, and dense embeddings of previous masks, of P objects."""

    def __init__(self, width: int = 256, mask_channels: int = 16) -> None:
        super().__init__()
        self.pe_layer = PositionEmbeddingRandom(width // 2)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, width) for _ in range(len(ROLES)))
        self.not_a_point_embed = nn.Embedding(1, width)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels // 4),
            nn.GELU(),
            nn.Conv2d(mask_channels // 4, mask_channels, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels),
            nn.GELU(),
            nn.Conv2d(mask_channels, width, kernel_size=1),
        )
        self.no_mask_embed = nn.Embedding(1, width)

    def sparse(self, prompts: Prompts) -> Tensor:
        """Sparse prompt embeddings (P, n, 256) of objects with one layout; n = clicks + 2 with a box, + 1 without."""
        objects, layout, boxes = len(prompts), prompts.layout, prompts.boxes
        if layout is None:
            present = prompts.labels >= 0
            clicks = int(present[0].sum()) if objects else 0
            points = prompts.points[present].view(objects, clicks, 2)
            labels = prompts.labels[present].view(objects, clicks)
            boxed = boxes is not None and not bool(boxes.isnan().any())
        else:
            points, labels, boxed = prompts.points[:, layout.absent :], prompts.labels[:, layout.absent :], layout.box
        negative, positive, *corners = self._roles()
        tokens = [self._positions(points) + torch.where(labels[..., None] == 1, positive, negative)]
        if boxes is None or not boxed:
            tokens.append(self.not_a_point_embed.weight.expand(objects, 1, -1))
        else:
            tokens.append(self._positions(boxes.view(-1, 2, 2)) + torch.cat(corners))
        return torch.cat(tokens, dim=1)

    def dense(self, prompts: Prompts) -> DensePrompt:
        """Dense prompt embeddings of the objects' previous masks; `no_mask_embed` for objects without one."""
        none = self.no_mask_embed.weight[0]
        if prompts.logits is None:
            return DensePrompt(none)
        *downscaling, last = self.mask_downscaling
        own = prompts.logits[:, None].nan_to_num()
        for layer in downscaling:
            own = layer(own)
        weight, shared = cast(Affine, effective_weights(last))
        basis = weight.flatten(1)
        absent = None
        if prompts.layout is None:
            absent = prompts.logits.isnan().flatten(1).any(dim=1)[:, None, None, None]
        if absent is not None and bool(absent.any()):
            # one more channel, 1 for objects without a mask, whose basis turns the shared part into `no_mask_embed`
            own = torch.cat([own.masked_fill(absent, 0.0), absent.to(own.dtype).expand(-1, 1, *own.shape[2:])], dim=1)
            basis = torch.cat([basis, (none - shared)[:, None]], dim=1)
        return DensePrompt(shared, OwnTokens(own.flatten(2).transpose(1, 2), basis))

    def _roles(self) -> list[Tensor]:
        return [role.weight for role in self.point_embeddings if isinstance(role, nn.Embedding)]

    def _positions(self, points: Tensor) -> Tensor:
        return self.pe_layer.encode((points + 0.5) / LONGEST)
