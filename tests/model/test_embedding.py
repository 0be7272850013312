from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dentasam.errors import CheckpointError
from dentasam.model.core.frame import Frame
from dentasam.model.embedding import ImageEmbedding


def embedding() -> ImageEmbedding:
    frame = Frame.of(512, 904)
    return ImageEmbedding(torch.randn(1, 256, 37, 64), torch.randn(1, 32, 148, 256), frame)


def test_written_and_read_back(tmp_path: Path) -> None:
    before = embedding().half()
    before.save(tmp_path / "case.safetensors")
    after = ImageEmbedding.load(tmp_path / "case.safetensors")
    assert after.frame == before.frame
    assert torch.equal(after.features, before.features)
    assert torch.equal(after.hq, before.hq)
    assert [path.name for path in tmp_path.iterdir()] == ["case.safetensors"]


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "case.safetensors"
    embedding().save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="not a readable embedding"):
        ImageEmbedding.load(path)


def test_leaf_collects_its_own_gradient() -> None:
    plain = embedding()
    plain.features.requires_grad_()
    plain.hq.requires_grad_()
    leaf = plain.leaf()
    (leaf.features.sum() + 2 * leaf.hq.sum()).backward()
    assert leaf.features.grad is not None
    assert leaf.hq.grad is not None
    assert leaf.hq.grad.eq(2).all()
    assert plain.features.grad is None
    # Where the encoder is frozen nothing asks for its gradient.
    plain.features.requires_grad_(False)
    assert (plain.leaf().features.requires_grad, plain.leaf().hq.requires_grad) == (False, True)


@pytest.mark.parametrize(
    "bent",
    [
        {"features": torch.zeros(1, 256, 37, 63)},
        {"hq": torch.zeros(1, 32, 37, 64)},
        {"features": torch.zeros(0)},
        {"hq": torch.zeros(1, 32, 148, 256, dtype=torch.int8)},
        {"frame": Frame(512, 904, float("nan"), 37, 64)},
        {"frame": Frame(512, 904, 1.0, 37, 64, top=-1)},
    ],
)
def test_tensors_that_do_not_fit_the_frame_are_refused(tmp_path: Path, bent: dict[str, Any]) -> None:
    path = tmp_path / "case.safetensors"
    replace(embedding(), **bent).save(path)
    with pytest.raises(CheckpointError, match="not a readable embedding"):
        ImageEmbedding.load(path)
