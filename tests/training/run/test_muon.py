"""Muon against its definition by the singular value decomposition, torch.optim.AdamW and torch.optim.Muon."""

import copy

import pytest
import torch
from torch import nn

from dentasam.training.run.muon import ADAMW_RMS, MOMENTUM, Muon, is_matrix, orthogonalised


@pytest.mark.parametrize("shape", [(24, 40), (24, 96), (96, 24)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    torch.manual_seed(3)
    matrix = torch.randn(shape)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    values = torch.linalg.svdvals(orthogonalised(matrix))
    assert values.min() > 0.6
    assert values.max() < 1.3
    # what is left of U^T X V is diagonal: the singular vectors are those of the matrix
    inside = left.T @ orthogonalised(matrix) @ right.T
    assert (inside - torch.diag(inside.diagonal())).abs().max() < 1e-4


def test_bf16_is_near_fp32() -> None:
    torch.manual_seed(3)
    matrix = torch.randn(24, 64)
    assert torch.linalg.matrix_norm(orthogonalised(matrix) - orthogonalised(matrix, torch.bfloat16), 2) < 0.1


def test_convolutions_are_matrices_and_thin_weights_are_not() -> None:
    assert is_matrix(torch.zeros(64, 16, 3, 3))
    assert is_matrix(torch.zeros(16, 400))
    assert not is_matrix(torch.zeros(64, 1, 3, 3))  # depthwise: nine numbers a channel
    assert not is_matrix(torch.zeros(8, 400))
    assert not is_matrix(torch.zeros(400))


def gradients(parameters: list[nn.Parameter], steps: int) -> list[list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(5)
    return [[torch.randn(p.shape, generator=generator) for p in parameters] for _ in range(steps)]


def test_vectors_and_thin_weights_move_as_with_adamw() -> None:
    shapes, betas = [(7,), (4, 9)], (0.9, 0.98)
    start = [torch.randn(shape) for shape in shapes]
    ours, theirs = ([nn.Parameter(value.clone()) for value in start] for _ in range(2))
    groups = [{"params": [theirs[0]], "weight_decay": 0.0}, {"params": [theirs[1]], "weight_decay": 0.1}]
    muon, adamw = Muon(ours, 1e-2, 0.1, betas), torch.optim.AdamW(groups, lr=1e-2, betas=betas)
    for grads in gradients(ours, 5):
        for a, b, gradient in zip(ours, theirs, grads, strict=True):
            a.grad, b.grad = gradient.clone(), gradient.clone()
        muon.step()
        adamw.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon of its own")
def test_matrices_move_as_with_torchs_muon() -> None:
    start = torch.randn(24, 80)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    muon = Muon([ours], 1e-2, 0.1, (0.9, 0.98), torch.bfloat16)
    reference = torch.optim.Muon(
        [theirs], lr=1e-2, weight_decay=0.1, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"
    )
    for (gradient,) in gradients([ours], 4):
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        muon.step()
        reference.step()
    moved = (theirs - start).square().mean().sqrt()
    assert (ours - theirs).square().mean().sqrt() < 0.05 * moved


def test_a_convolution_moves_as_its_matrix() -> None:
    flat = nn.Parameter(torch.randn(32, 16 * 9))
    convolution = nn.Parameter(flat.detach().view(32, 16, 3, 3).clone())
    optimisers = [Muon([p], 1e-2, 0.0, (0.9, 0.98)) for p in (flat, convolution)]
    before = flat.detach().clone()
    for (gradient,) in gradients([flat], 3):
        flat.grad, convolution.grad = gradient.clone(), gradient.view(32, 16, 3, 3).clone()
        for optimiser in optimisers:
            optimiser.step()
    torch.testing.assert_close(convolution.flatten(1), flat)
    step = (flat - before) / 3e-2  # three steps of singular values about ADAMW_RMS * sqrt(longer side)
    assert torch.linalg.matrix_norm(step, 2) < 1.3 * ADAMW_RMS * (16 * 9) ** 0.5


def test_state_goes_through_its_dictionary() -> None:
    parameters = [nn.Parameter(torch.randn(20, 20)), nn.Parameter(torch.randn(20))]
    twins = [nn.Parameter(p.detach().clone()) for p in parameters]
    optimiser = Muon(parameters, 1e-2, 0.1, (0.9, 0.98))
    first, second = gradients(parameters, 2)
    for p, gradient in zip(parameters, first, strict=True):
        p.grad = gradient
    optimiser.step()
    for p, twin in zip(parameters, twins, strict=True):
        twin.data.copy_(p.data)
    resumed = Muon(twins, 1e-2, 0.1, (0.9, 0.98))
    resumed.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for p, twin, gradient in zip(parameters, twins, second, strict=True):
        p.grad, twin.grad = gradient.clone(), gradient.clone()
    optimiser.step()
    resumed.step()
    for p, twin in zip(parameters, twins, strict=True):
        torch.testing.assert_close(p, twin, rtol=0, atol=0)
