"""Attention between the few tokens of an object and the many of the image.

An object has about ten tokens and a panoramic two thousand, so projecting the image is nearly all the work of a cross
attention. The image's projections are therefore absorbed into the tokens, as multi-head latent attention does with
its cache (DeepSeek-AI, DeepSeek-V2, 2024):

    tokens read the image     q . (Wk x)  =  (Wk^T q) . x         sum a (Wv x)  =  Wv (sum a x)
    the image reads tokens    (Wq x) . k  =  x . (Wq^T k)         Wo (sum a v)  =  sum a (Wo v)

This is exact, and less work while heads x tokens stays below the attention's width. Before the first block the image
embedding is the same for all objects, except for the dense prompt embeddings of their previous masks, which come from
16 channels (`OwnTokens`). There the shared part is projected once for all objects, and only the 16 channels for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dentasam.model.core.effective_weights import Affine, effective_weights
from dentasam.model.core.layers import attention

# The image's projections are absorbed up to this ratio of heads x tokens to the attention's width. At 1 both ways
# take as many multiplications, but absorbed ones are larger matrices and write less; measured on two CPU cores with 4
# objects.
MAX_ABSORBED_RATIO = 1.25


@dataclass(frozen=True)
class OwnTokens:
    """What each of P objects adds to the tokens of a shared image: channels (P, m, r) times basis (width, r)."""

    channels: Tensor
    basis: Tensor

    def added_to(self, image: Tensor) -> Tensor:
        """The objects' own image tokens (P, m, width) from the shared ones (1, m, width)."""
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

    def read(self, tokens: Tensor, keys: Tensor, image: Tensor) -> Tensor:
        """`forward` of tokens (P, n, width) on each object's own image, keys and values (P, m, width) each."""
        key, value = self._absorbed(tokens, self.k_proj, self.v_proj)
        if key is None or value is None:
            return self(tokens, keys, image)
        q = self._split(self.q_proj(tokens)) * self._scale  # (P, heads, n, c)
        reach = torch.einsum("phnc,hcw->phnw", q, self._by_head(key.weight)).flatten(1, 2)
        shares = torch.bmm(reach, keys.transpose(1, 2)).softmax(dim=-1)  # (P, heads n, m)
        mean = torch.bmm(shares, image).unflatten(1, q.shape[1:3])
        answer = torch.einsum("phnw,hcw->phnc", mean, self._by_head(value.weight))
        return self._joined(answer + self._by_head(value.bias)[:, None])

    def write(self, image: Tensor, queries: Tensor, keys: Tensor, tokens: Tensor) -> Tensor:
        """Each object's image (P, m, width), plus `forward` of its queries (P, m, width) on tokens (P, n, width).

        Where no gradients are recorded and all is of one type, the image is overwritten with the sum.
        """
        query, out = self._absorbed(tokens, self.q_proj, self.out_proj)
        if query is None or out is None:
            return image + self(queries, keys, tokens)
        k = self._split(self.k_proj(keys)) * self._scale  # (P, heads, n, c)
        reach = torch.einsum("phnc,hcw->phnw", k, self._by_head(query.weight)).flatten(1, 2)
        offset = k @ self._by_head(query.bias)[..., None].to(k.dtype)
        scores = torch.bmm(reach, queries.transpose(1, 2)).unflatten(1, k.shape[1:3]) + offset
        shares = scores.softmax(dim=2).flatten(1, 2)  # (P, heads n, m), over an object's n tokens
        answers = self._answers(tokens, out)
        # Autocast brings operands to one type, but not those of an operation in place.
        if torch.is_grad_enabled() or not image.dtype == shares.dtype == answers.dtype:
            return torch.baddbmm(image, shares.transpose(1, 2), answers)
        return image.baddbmm_(shares.transpose(1, 2), answers)

    def read_shared(self, tokens: Tensor, keys: Tensor, values: Tensor, own: OwnTokens | None) -> Tensor:
        """`forward` of tokens (P, n, width) on an image that all objects share, plus `own` of each object.

        keys, values: (1, m, inner), the projections of the shared image. The layers must be affine (`is_affine`).
        """
        q = self._split(self.q_proj(tokens)) * self._scale  # (P, heads, n, c)
        k, v = self._split(keys)[0], self._split(values)[0]  # (heads, m, c)
        scores = _on_shared(q, k)  # (P, heads, n, m)
        if own is None:
            shares = scores.transpose(0, 1).softmax(dim=-1)
            return self._joined(torch.bmm(shares.flatten(1, 2), v).unflatten(1, shares.shape[1:3]).transpose(0, 1))
        into, back = (self._own_by_head(layer, own) for layer in (self.k_proj, self.v_proj))  # (heads, c, r)
        reach = torch.einsum("phnc,hcr->phnr", q, into).flatten(1, 2)
        scores = torch.bmm(reach, own.channels.transpose(1, 2)).unflatten(1, q.shape[1:3]) + scores
        shares = scores.softmax(dim=-1)
        mean = torch.bmm(shares.flatten(1, 2), own.channels).unflatten(1, q.shape[1:3])  # (P, heads, n, r)
        by_head = shares.transpose(0, 1).flatten(1, 2)  # (heads, P n, m)
        answer = torch.bmm(by_head, v).unflatten(1, (len(q), -1)).transpose(0, 1)
        return self._joined(answer + torch.einsum("phnr,hcr->phnc", mean, back))

    def write_shared(
        self, image: Tensor, queries: Tensor, keys: Tensor, tokens: Tensor, own: OwnTokens | None
    ) -> Tensor:
        """Each object's image (P, m, width): the shared one (1, m, width) plus `own` plus what it reads of tokens.

        queries: (1, m, inner), the projections of the shared image. The layers must be affine (`is_affine`).
        """
        out = effective_weights(self.out_proj)
        assert out is not None
        k = self._split(self.k_proj(keys)) * self._scale  # (P, heads, n, c)
        scores, answers = _on_shared(k, self._split(queries)[0]), self._answers(tokens, out)
        objects = len(tokens)
        image = image.expand(objects, -1, -1)
        if own is None:
            return torch.baddbmm(image, scores.softmax(dim=2).flatten(1, 2).transpose(1, 2), answers)
        reach = torch.einsum("phnc,hcr->phnr", k, self._own_by_head(self.q_proj, own)).flatten(1, 2)
        channels = own.channels.transpose(1, 2)  # (P, r, m)
        scores = torch.bmm(reach, channels).unflatten(1, k.shape[1:3]) + scores
        # the object's own addition and what the image reads of its tokens, in one product
        added = own.basis.T.to(answers.dtype).expand(objects, -1, -1)
        shares = torch.cat([scores.softmax(dim=2).flatten(1, 2), channels], dim=1)
        return torch.baddbmm(image, shares.transpose(1, 2), torch.cat([answers, added], dim=1))

    def _answers(self, tokens: Tensor, out: Affine) -> Tensor:
        """The tokens' values after the output projection, (P, heads n, width), its bias split over the heads."""
        answers = torch.einsum("phnc,hcw->phnw", self._split(self.v_proj(tokens)), self._by_head(out.weight.T))
        return (answers + (out.bias / self.num_heads).to(answers.dtype)).flatten(1, 2)

    def _own_by_head(self, layer: nn.Module, own: OwnTokens) -> Tensor:
        """The projection of the objects' own basis, by head: (heads, c, r)."""
        projection = effective_weights(layer)
        assert projection is not None
        return self._by_head(projection.weight.to(own.channels.dtype) @ own.basis.to(own.channels.dtype))

    def _absorbed(self, tokens: Tensor, *layers: nn.Module) -> tuple[Affine | None, ...]:
        """Weights and biases of the image's projections to absorb; None for each where that would not be faster.

        That is with many tokens, and in a traced graph, where their number is not known.
        """
        if torch.compiler.is_compiling() or self.num_heads * tokens.shape[1] > self.inner * MAX_ABSORBED_RATIO:
            return (None,) * len(layers)
        return tuple(effective_weights(layer) for layer in layers)

    def _by_head(self, weight: Tensor) -> Tensor:
        """A weight (inner, …) as (heads, inner / heads, …)."""
        return weight.unflatten(0, (self.num_heads, -1))

    @property
    def _scale(self) -> float:
        return float((self.inner // self.num_heads) ** -0.5)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)

    def _joined(self, x: Tensor) -> Tensor:
        return self.out_proj(x.transpose(1, 2).flatten(2))


def _on_shared(x: Tensor, shared: Tensor) -> Tensor:
    """Scores (P, heads, n, m) of (P, heads, n, c) on (heads, m, c) that all objects share, one product a head."""
    by_head = x.transpose(0, 1).flatten(1, 2)  # (heads, P n, c)
    return torch.bmm(by_head, shared.transpose(1, 2)).unflatten(1, (len(x), -1)).transpose(0, 1)
