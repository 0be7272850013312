"""Stored views: what is written is read back, and a damaged file is encoded again."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

from dentasam.errors import OutputError
from dentasam.model.chart.finder import fine_features
from dentasam.model.chart.shapes import SHAPE
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding
from dentasam.training.chart.view_store import EncodedView, ViewStore, batched, read_targets, read_view
from dentasam.training.chart.views import ChartTargets, unvaried_view


def view(rows: int = 3, columns: int = 5, objects: int = 2, implants: bool = True) -> EncodedView:
    made = torch.Generator().manual_seed(rows)
    frame = Frame.of(rows * 16, 1024)
    embedding = ImageEmbedding(
        torch.randn(1, 256, rows, columns, generator=made),
        torch.randn(1, 32, 4 * rows, 4 * columns, generator=made),
        frame,
    )
    rng = np.random.default_rng(0)
    targets = ChartTargets(
        rng.uniform(0, 99, (objects, 6)).astype(np.float32),
        rng.integers(-1, 52, objects),
        rng.integers(0, 2, objects),
        rng.integers(0, 9, (objects, *SHAPE)).astype(np.float32) / 8,
    )
    return EncodedView.of(embedding, targets, implants)


@pytest.mark.parametrize(("objects", "implants"), [(2, True), (0, False)])
def test_a_view_is_read_back_as_it_was(tmp_path: Path, objects: int, implants: bool) -> None:
    store, written = ViewStore(tmp_path / "kept" / "views"), view(objects=objects, implants=implants)
    path = store.path("a", 1)
    assert not store.has(path)
    store.write(path, written)
    assert store.has(path)
    read = read_view(path)
    assert torch.equal(read.features, written.features)
    assert torch.equal(read.fine, written.fine)
    assert read.features.dtype == torch.float16
    assert read.implants == implants
    assert read.grid == (6, 10)
    for name, array in vars(written.targets).items():
        own = vars(read.targets)[name]
        assert own.dtype == array.dtype
        assert np.array_equal(own, array)


def test_a_view_of_an_embedding_holds_means_of_its_hq_features() -> None:
    embedding = ImageEmbedding(torch.randn(1, 256, 2, 3), torch.randn(1, 32, 8, 12), Frame.of(32, 48))
    targets = unvaried_view(np.zeros((32, 48), np.uint8), [])[2]
    made = EncodedView.of(embedding, targets, True)
    assert torch.equal(made.features, embedding.features[0].half())
    assert torch.equal(made.fine, fine_features(embedding)[0].half())


@pytest.mark.parametrize("left", [0, 1, 7, 100, 5_000, -1])
def test_a_file_that_was_cut_short_counts_as_missing(tmp_path: Path, left: int) -> None:
    store = ViewStore(tmp_path)
    path = store.path("a")
    store.write(path, view())
    path.write_bytes(path.read_bytes()[:left])
    assert not store.has(path)
    with pytest.raises(OutputError, match="delete it and run the command again") as caught:
        read_view(path)
    assert str(caught.value).startswith(f"{path}: cannot be read")


def test_a_file_with_a_changed_bit_is_not_used(tmp_path: Path) -> None:
    store = ViewStore(tmp_path)
    path = store.path("a")
    store.write(path, view())
    whole = path.read_bytes()
    for bit in random.Random(0).sample(range(8 * len(whole)), 300):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        for read in (read_view, read_targets):
            with pytest.raises(OutputError, match="cannot be read"):
                read(path)


def test_a_file_without_a_checksum_is_still_read(tmp_path: Path) -> None:
    store = ViewStore(tmp_path)
    path = store.path("a")
    store.write(path, view(implants=True))
    path.write_bytes(save(load_file(path), {"implants": "1"}))
    assert store.has(path)
    assert read_view(path).implants


def test_a_file_of_something_else_counts_as_missing(tmp_path: Path) -> None:
    store = ViewStore(tmp_path)
    path = store.path("a")
    ImageEmbedding(torch.zeros(1, 256, 1, 1), torch.zeros(1, 32, 4, 4), Frame.of(16, 16)).save(path)
    assert not store.has(path)


def test_the_name_depends_on_everything_that_it_is_given(tmp_path: Path) -> None:
    store = ViewStore(tmp_path)
    names = {store.path(*depends) for depends in (("a",), ("a", 1), ("a", 2), (None, 1), ("a", 1, True))}
    assert len(names) == 5
    assert store.path("a", 1) == ViewStore(tmp_path).path("a", 1)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another views.dir"):
        ViewStore(tmp_path / "file" / "views")


def test_views_of_different_grids_are_padded_to_one() -> None:
    low, narrow = view(2, 5), view(4, 3)
    features, fine = batched([low, narrow])
    assert features.shape == (2, 256, 4, 5)
    assert fine.shape == (2, 32, 8, 10)
    assert torch.equal(features[0, :, :2, :5], low.features.float())
    assert torch.equal(fine[1, :, :8, :6], narrow.fine.float())
    assert not features[0, :, 2:].any()
    assert not fine[1, :, :, 6:].any()


def test_a_view_under_the_name_of_another_is_not_used(tmp_path: Path) -> None:
    store = ViewStore(tmp_path)
    one, two = store.path("a"), store.path("b")
    store.write(one, view(3))
    store.write(two, view(4))
    one.write_bytes(two.read_bytes())
    assert not store.has(one)
    assert store.has(two)
    with pytest.raises(OutputError, match="it is another view"):
        read_view(one)
