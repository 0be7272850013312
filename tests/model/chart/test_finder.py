"""The finder takes any grid, and an image alone or among others gives the same maps."""

from __future__ import annotations

import pytest
import torch

from dentasam.model.chart.finder import CELLS_PER_TOKEN, KINDS, Finder, fine_features
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding

from .maps import small_head


@pytest.fixture(scope="module")
def finder() -> Finder:
    return small_head().finder


def drawn(batch: int, rows: int, columns: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    fine = CELLS_PER_TOKEN * rows, CELLS_PER_TOKEN * columns
    return torch.randn(batch, 256, rows, columns, generator=made), torch.randn(batch, 32, *fine, generator=made)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 7), (5, 3), (31, 64), (64, 31)])
@torch.inference_mode()
def test_any_grid_has_its_maps(finder: Finder, rows: int, columns: int) -> None:
    maps = finder(*drawn(1, rows, columns))
    cells = 2 * rows, 2 * columns
    shapes = [(1, KINDS, *cells), (1, 2, *cells), (1, 4, *cells)]
    assert [tuple(plane.shape) for plane in (maps.centres, maps.offsets, maps.sides)] == shapes
    assert bool((maps.sides > 0).all())
    assert all(bool(torch.isfinite(plane).all()) for plane in vars(maps).values())


@torch.inference_mode()
def test_images_of_one_size_give_in_a_batch_what_each_gives_alone(finder: Finder) -> None:
    features, fine = drawn(3, 5, 9)
    together = finder(features, fine)
    for row in range(3):
        alone = finder(features[row : row + 1], fine[row : row + 1])
        for name, plane in vars(alone).items():
            assert torch.allclose(vars(together)[name][row], plane[0], atol=1e-5), name


@torch.inference_mode()
def test_a_tooth_anywhere_can_change_the_whole_jaw(finder: Finder) -> None:
    # Attention among all tokens: what is at the left changes what is seen at the right.
    features, fine = drawn(1, 4, 32)
    changed = features.clone()
    changed[..., 0] += 3
    before, after = (finder(one, fine).sides[0, :, :, -1] for one in (features, changed))
    assert float((before - after).abs().max()) > 1e-4


def test_centres_are_rare_before_any_training(finder: Finder) -> None:
    with torch.inference_mode():
        shares = finder(*drawn(1, 8, 8)).centres.sigmoid()
    assert float(shares.mean()) < 0.1


def test_fine_features_are_means_of_the_hq_features_of_a_cell() -> None:
    frame = Frame.of(48, 1024)
    hq = torch.randn(1, 32, 4 * frame.rows, 4 * frame.cols)
    fine = fine_features(ImageEmbedding(torch.zeros(1, 256, frame.rows, frame.cols), hq, frame))
    assert fine.shape == (1, 32, 2 * frame.rows, 2 * frame.cols)
    assert torch.allclose(fine[0, :, 1, 5], hq[0, :, 2:4, 10:12].mean((1, 2)), atol=1e-6)
