"""Attention between the few tokens of an object and the many of the image.

An object has some ten tokens and a panoramic two thousand, so projecting the image's side is nearly all the work of
a cross attention. The image's projections are therefore absorbed into the tokens, as multi-head latent attention
does with its cache (DeepSeek-AI, DeepSeek-V2, 2024):

    tokens read the image     q . (Wk x)  =  (Wk^T q) . x         sum a (Wv x)  =  Wv (sum a x)
    the image reads tokens    (Wq x) . k  =  x . (Wq^T k)         Wo (sum a v)  =  sum a (Wo v)

which is exact, and less work while heads x tokens stays below the attention's width. Before the first block the image
is the same for all objects but for what their previous masks add, which has 16 channels (`OwnTokens`): there the
shared part is projected once for all objects, and only the 16 channels are each object's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dentasam.model.effective import Affine, effective
from dentasam.model.layers import attention

# The image side is absorbed up to this many heads x tokens for each channel of the attention. At 1 there is as much
# to multiply, but in larger matrices and with less to write; measured on two CPU cores with 4 objects.
MOST = 1.25


@dataclass(frozen=True)
class OwnTokens:
    """What each of P objects adds to an image they share: channels (P, m, r) times basis (width, r)."""

    channels: Tensor
    basis: Tensor

    def added_to(self, image: Tensor) -> Tensor:
        """The objects' image tokens (P, m, width) from the shared ones (1, m, width)."""
        return image + self.channels @ self.basis.T.to(self.channels.dtype)


class Attention(nn.Module):
    """Multi-head attention whose inner width is `width // downsample`."""

    def __init__(self, width: int, heads: int, downsample: int = 1) -> None:
        super().__init__()
        self.inner = width // downsample
        self.num_heads = heads
        self.q_proj = nn.Linear(width, self.inner)
        self.k_proj = nn.Linear(width, self.inner)
        self.v_proj = nn.Linear(width, self.inner)
        self.out_proj = nn.Linear(self.inner, width)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(P, n, width) queries on (P, m, width) keys and values; a side that all objects share may have P = 1."""
        q, k, v = self._split(self.q_proj(q)), self._split(self.k_proj(k)), self._split(self.v_proj(v))
        objects = max(len(q), len(k))
        q, k, v = (side.expand(objects, -1, -1, -1) for side in (q, k, v))
        return self._joined(attention(q, k, v))

    def read(self, tokens: Tensor, keys: Tensor, image: Tensor, own: OwnTokens | None = None) -> Tensor:
        """`forward` of tokens (P, n, width) on an image (P or 1, m, width) that `own` is still to be added to."""
        key, value = self._absorbed(tokens, keys, own, self.k_proj, self.v_proj)
        if key is None or value is None:
            keys, image = (side if own is None else own.added_to(side) for side in (keys, image))
            return self(tokens, keys, image)
        into, back = self._by_head(key.weight), self._by_head(value.weight)  # (heads, c, width)
        q = self._split(self.q_proj(tokens)) * self._scale  # (P, heads, n, c)
        reach = torch.einsum("phnc,hcw->phnw", q, into)
        if own is None:
            scores = torch.bmm(reach.flatten(1, 2), keys.transpose(1, 2))  # (P, heads n, m)
            mean = torch.bmm(scores.softmax(dim=-1), image).unflatten(1, q.shape[1:3])
            return self._joined(torch.einsum("phnw,hcw->phnc", mean, back) + self._by_head(value.bias)[:, None])
        k, v = self._split(self.k_proj(keys)), self._split(self.v_proj(image))  # (1, heads, m, c)
        basis = own.basis.to(q.dtype)
        scores = torch.bmm((reach @ basis).flatten(1, 2), own.channels.transpose(1, 2)).unflatten(1, q.shape[1:3])
        shares = (scores + q @ k.transpose(2, 3)).softmax(dim=-1)  # (P, heads, n, m)
        mean = torch.bmm(shares.flatten(1, 2), own.channels).unflatten(1, q.shape[1:3])  # (P, heads, n, r)
        return self._joined(shares @ v + torch.einsum("phnr,hcr->phnc", mean, back @ basis))

    def written(self, queries: Tensor, keys: Tensor, tokens: Tensor, own: OwnTokens | None = None) -> Tensor:
        """`forward` of an image (P or 1, m, width), that `own` is still to be added to, on tokens (P, n, width)."""
        query, out = self._absorbed(tokens, queries, own, self.q_proj, self.out_proj)
        if query is None or out is None:
            return self(queries if own is None else own.added_to(queries), keys, tokens)
        k = self._split(self.k_proj(keys)) * self._scale  # (P, heads, n, c)
        reach = torch.einsum("phnc,hcw->phnw", k, self._by_head(query.weight))
        if own is None:
            scores = torch.bmm(reach.flatten(1, 2), queries.transpose(1, 2)).unflatten(1, k.shape[1:3])
            scores = scores + k @ self._by_head(query.bias)[..., None].to(k.dtype)
        else:
            q = self._split(self.q_proj(queries))  # (1, heads, m, c)
            reach = (reach @ own.basis.to(k.dtype)).flatten(1, 2)
            scores = torch.bmm(reach, own.channels.transpose(1, 2)).unflatten(1, k.shape[1:3])
            scores = scores + k @ q.transpose(2, 3)
        shares = scores.softmax(dim=2).flatten(1, 2)  # (P, heads n, m), over an object's n tokens
        answers = torch.einsum("phnc,hcw->phnw", self._split(self.v_proj(tokens)), self._by_head(out.weight.T))
        return torch.bmm(shares.transpose(1, 2), answers.flatten(1, 2)) + out.bias

    def _absorbed(
        self, tokens: Tensor, image: Tensor, own: OwnTokens | None, *layers: nn.Module
    ) -> tuple[Affine | None, ...]:
        """The image side's layers as weights, or Nones where absorbing them is no gain.

        It is none for an image that all objects share and that is therefore projected once, for many tokens, and in
        a graph that is traced, where the number of tokens is not known.
        """
        none = (None,) * len(layers)
        if torch.compiler.is_compiling() or (own is None and len(image) < len(tokens)):
            return none
        if own is None and self.num_heads * tokens.shape[1] > self.inner * MOST:
            return none
        return tuple(effective(layer) for layer in layers)

    def _by_head(self, weight: Tensor) -> Tensor:
        """(inner, …) to (heads, inner / heads, …)."""
        return weight.unflatten(0, (self.num_heads, -1))

    @property
    def _scale(self) -> float:
        return float((self.inner // self.num_heads) ** -0.5)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)

    def _joined(self, x: Tensor) -> Tensor:
        return self.out_proj(x.transpose(1, 2).flatten(2))
