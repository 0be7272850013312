"""The ViT encoder on token grids of any shape: what each token reads, and where."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dentasam.model.encoder import vit
from dentasam.model.encoder.vit import Attention, ImageEncoderViT, from_windows, into_windows, relative_table

from ..oracles import draw_weights


@pytest.fixture(scope="module")
def encoder() -> ImageEncoderViT:
    """Two windowed blocks, then a global one, on a 28x28 grid of windows of 7."""
    model = ImageEncoderViT(
        embed_dim=24, depth=3, num_heads=2, global_attn_indexes=(2,), window_size=7, grid=28, out_chans=8
    )
    draw_weights(model, seed=0)
    return model.eval()


def before_global(encoder: ImageEncoderViT, pixels: Tensor, top: int, left: int) -> Tensor:
    """Tokens (1, rows, cols, C) that enter the global block."""
    seen: list[Tensor] = []
    hook = encoder.blocks[2].register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        encoder(pixels, top=top, left=left)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize(("size", "full"), [(5, 8), (8, 8), (1, 14)])
def test_an_offset_reads_the_entry_it_reads_on_the_full_axis(size: int, full: int) -> None:
    table = torch.arange(2 * full - 1.0)[:, None]
    read = relative_table(table, size)
    for query in range(size):
        for key in range(size):
            assert read[query, key] == query - key + full - 1


def test_attention_on_a_small_grid_is_the_formula_with_the_full_tables() -> None:
    attention = Attention(dim=12, num_heads=3, grid=8, qkv_bias=True, use_rel_pos=True)
    draw_weights(attention, seed=1)
    rows, cols, heads, channels = 3, 5, 3, 4
    x = torch.randn(2, rows, cols, 12, generator=torch.Generator().manual_seed(2))

    qkv = attention.qkv(x).reshape(2, rows * cols, 3, heads, channels)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    scores = query @ key.transpose(-1, -2) / math.sqrt(channels)
    for i in range(rows * cols):
        for j in range(rows * cols):
            down, across = i // cols - j // cols, i % cols - j % cols
            entry = attention.rel_pos_h[down + 7] + attention.rel_pos_w[across + 7]
            scores[:, :, i, j] += query[:, :, i] @ entry
    expected = attention.proj((scores.softmax(-1) @ value).transpose(1, 2).reshape(2, rows, cols, 12))

    torch.testing.assert_close(attention(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("rows", "cols"), [(7, 7), (8, 13), (14, 21), (3, 5)])
def test_windows_go_back_where_they_came_from(rows: int, cols: int) -> None:
    x = torch.randn(2, rows, cols, 4)
    windows = into_windows(x, 7, torch.zeros(x.shape[-1]))
    assert windows.shape == (2 * math.ceil(rows / 7) * math.ceil(cols / 7), 7, 7, 4)
    assert torch.equal(windows[0, : min(rows, 7), : min(cols, 7)], x[0, :7, :7])
    assert torch.equal(from_windows(windows, rows, cols), x)


@pytest.mark.parametrize(("top", "left"), [(0, 0), (7, 14)])
def test_tokens_of_an_own_grid_see_what_they_saw_in_the_square(encoder: ImageEncoderViT, top: int, left: int) -> None:
    """Up to the global block a token depends on its window alone, so cropping at windows changes nothing."""
    square = torch.randn(1, 3, 28 * 16, 28 * 16, generator=torch.Generator().manual_seed(3))
    rows, cols = 14, 7
    crop = square[:, :, top * 16 : (top + rows) * 16, left * 16 : (left + cols) * 16]
    own = before_global(encoder, crop, top, left)
    whole = before_global(encoder, square, 0, 0)
    torch.testing.assert_close(own, whole[:, top : top + rows, left : left + cols], rtol=1e-5, atol=1e-5)


def test_shapes_and_the_intermediate_map(encoder: ImageEncoderViT) -> None:
    features, intermediate = encoder(torch.randn(2, 3, 5 * 16, 9 * 16))
    assert features.shape == (2, 8, 5, 9)
    assert intermediate.shape == (2, 24, 5, 9)
    torch.testing.assert_close(encoder.neck(intermediate), features)  # the global block is the last one here


def test_an_image_beside_the_grid_is_refused(encoder: ImageEncoderViT) -> None:
    with pytest.raises(ValueError, match="do not fit the 28x28 grid"):
        encoder(torch.zeros(1, 3, 5 * 16, 9 * 16), top=0, left=20)


def test_every_parameter_gets_a_gradient(encoder: ImageEncoderViT) -> None:
    features, intermediate = encoder(torch.randn(1, 3, 9 * 16, 12 * 16))
    # A plain sum of what a norm puts out is constant, so its gradient would vanish.
    (features.square().sum() + intermediate.square().sum()).backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    encoder.zero_grad()


def gradients(encoder: ImageEncoderViT) -> list[Tensor]:
    """Of the pixels and of every parameter, in double precision."""
    pixels = torch.randn(2, 3, 208, 320, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    pixels.requires_grad_()
    encoder.zero_grad()
    features, intermediate = encoder(pixels)
    (features.square().sum() + intermediate.square().sum()).backward()
    found = [pixels.grad, *(parameter.grad for parameter in encoder.parameters())]
    assert all(each is not None and each.abs().max() > 0 for each in found)
    return [each.clone() for each in found if each is not None]


@pytest.mark.parametrize("scores", [1, 40_000, 2**22])
@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_by_heads_are_those_of_attention(
    monkeypatch: pytest.MonkeyPatch, scores: int, recompute: bool
) -> None:
    """One head at a time, some, or all; with each block made again or kept. Tables of positions learn as well."""
    made = ImageEncoderViT(
        embed_dim=24, depth=3, num_heads=4, global_attn_indexes=(2,), window_size=7, grid=28, out_chans=8
    ).double()
    draw_weights(made, seed=3)
    with monkeypatch.context() as patch:
        patch.setattr(vit, "attend_by_heads", vit.attend)
        expected = gradients(made)
    monkeypatch.setattr(vit, "MAX_SCORES_AT_ONCE", scores)
    made.recompute = recompute
    for found, wanted in zip(gradients(made), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_gradients_by_heads_in_reduced_precision() -> None:
    parts = torch.randn(3, 1, 2, 15, 8).bfloat16().requires_grad_()
    tables = torch.randn(3, 3, 8), torch.randn(5, 5, 8).requires_grad_()
    found = []
    for attend in (vit.attend, vit.attend_by_heads):
        out = attend(parts, tables)
        assert out.dtype == torch.bfloat16
        found.append(torch.autograd.grad(out.float().square().sum(), (parts, tables[1])))
    for plain, by_heads in zip(*found, strict=True):
        assert plain.abs().max() > 0
        torch.testing.assert_close(by_heads, plain, rtol=0.05, atol=0.05)
