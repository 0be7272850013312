"""The numberer sees a set: neither the order of the objects nor padding changes what it says of each."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dentasam.model.chart.finder import CELL, NUMBER_CLASSES, FinderMaps
from dentasam.model.chart.numberer import (
    GEOMETRY,
    OUTCOMES,
    RELATION,
    Numberer,
    geometry,
    looks_width,
    padded,
    pooled_looks,
    relations,
)

from .maps import DETAIL, WIDTH, empty_maps, small_head

LOOKS = looks_width(WIDTH, DETAIL)


@pytest.fixture(scope="module")
def numberer() -> Numberer:
    return small_head().numberer


def drawn(objects: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Boxes (P, 4) of two rows of teeth, and looks (P, C)."""
    made = torch.Generator().manual_seed(seed)
    corner = torch.rand(objects, 2, generator=made) * torch.tensor([900.0, 300.0]) + 30
    size = torch.rand(objects, 2, generator=made) * torch.tensor([30.0, 60.0]) + 20
    return torch.cat([corner, corner + size], dim=1), torch.randn(objects, LOOKS, generator=made)


@torch.inference_mode()
def logits(numberer: Numberer, boxes: Tensor, looks: Tensor, seen: Tensor | None = None) -> Tensor:
    present = torch.ones(1, len(boxes), dtype=torch.bool)
    return numberer(boxes[None], looks[None], present if seen is None else seen[None], present)[0]


def test_the_order_of_the_objects_changes_nothing(numberer: Numberer) -> None:
    boxes, looks = drawn(11)
    order = torch.randperm(11, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(
        logits(numberer, boxes, looks)[order], logits(numberer, boxes[order], looks[order]), atol=1e-5
    )


def test_padding_changes_nothing(numberer: Numberer) -> None:
    sets = [drawn(objects, objects) for objects in (3, 9, 1)]
    boxes, present = padded([one for one, _ in sets])
    looks, _ = padded([own for _, own in sets], value=7.0)
    assert present.sum(1).tolist() == [3, 9, 1]
    with torch.inference_mode():
        together = numberer(boxes, looks, present, present)
    assert together.shape == (3, 9, OUTCOMES)
    for row, (one, own) in enumerate(sets):
        assert torch.allclose(together[row, : len(one)], logits(numberer, one, own), atol=1e-4)


def test_what_is_not_seen_does_not_count(numberer: Numberer) -> None:
    boxes, looks = drawn(6)
    seen = torch.tensor([True, False, True, False, False, True])
    other = torch.where(seen[:, None], looks, drawn(6, 5)[1] * 10)
    assert torch.equal(logits(numberer, boxes, looks, seen), logits(numberer, boxes, other, seen))
    assert not torch.allclose(logits(numberer, boxes, looks), logits(numberer, boxes, other))


def test_neighbours_count(numberer: Numberer) -> None:
    boxes, looks = drawn(6)
    alone = logits(numberer, boxes[:1], looks[:1])[0]
    assert float((alone - logits(numberer, boxes, looks)[0]).abs().max()) > 1e-3


def test_places_among_the_others_do_not_depend_on_where_the_jaw_lies() -> None:
    boxes, _ = drawn(8)
    present = torch.ones(1, 8, dtype=torch.bool)
    moved = boxes + torch.tensor([40.0, -20.0, 40.0, -20.0])
    here, there = geometry(boxes[None], present), geometry(moved[None], present)
    assert here.shape == (1, 8, GEOMETRY)
    assert torch.allclose(here[..., 2:], there[..., 2:], atol=1e-4)
    assert torch.allclose(there[..., :2] - here[..., :2], torch.tensor([40.0, -20.0]) / 512, atol=1e-5)
    pairs = relations(boxes[None], present)
    assert pairs.shape == (1, 8, 8, RELATION)
    assert torch.allclose(pairs, relations(moved[None], present), atol=1e-4)


def test_relations_point_from_the_row_to_the_column() -> None:
    boxes = torch.tensor([[0.0, 0.0, 20.0, 40.0], [30.0, 0.0, 50.0, 40.0]])
    pairs = relations(boxes[None], torch.ones(1, 2, dtype=torch.bool))[0]
    # The second stands 30 to the right of the first, and both are 20 wide.
    assert pairs[0, 1, :2].tolist() == pytest.approx([1.5 / 4, 0.0])
    assert pairs[1, 0, :2].tolist() == pytest.approx([-1.5 / 4, 0.0])
    assert pairs[0, 0, :4].tolist() == [0.0] * 4


def test_one_tooth_alone_and_a_box_without_area_have_finite_logits(numberer: Numberer) -> None:
    assert bool(torch.isfinite(logits(numberer, *drawn(1))).all())
    flat = torch.tensor([[5.0, 5.0, 5.0, 5.0]])
    assert bool(torch.isfinite(logits(numberer, flat, drawn(1)[1])).all())


def constant_maps() -> FinderMaps:
    maps = empty_maps(4, 6)
    maps.context[:] = torch.arange(WIDTH, dtype=torch.float32)[None, :, None, None]
    maps.detail[:] = -torch.arange(DETAIL, dtype=torch.float32)[None, :, None, None]
    maps.numbers[:] = torch.linspace(-2, 2, NUMBER_CLASSES)[None, :, None, None]
    return maps


def test_looks_of_constant_maps_are_those_constants() -> None:
    boxes = torch.tensor([[10.0, 4.0, 40.0, 60.0], [-20.0, -20.0, 200.0, 90.0], [5.0, 5.0, 5.0, 5.0]])
    looks = pooled_looks(constant_maps(), boxes)
    assert looks.shape == (3, LOOKS)
    expected = torch.cat(
        [
            torch.arange(WIDTH, dtype=torch.float32),
            -torch.arange(DETAIL, dtype=torch.float32),
            torch.linspace(-2, 2, NUMBER_CLASSES).softmax(0),
        ]
    )
    assert torch.allclose(looks, expected.expand(3, -1), atol=1e-5)


def test_looks_are_taken_where_the_box_lies() -> None:
    maps = empty_maps(4, 6)
    columns = torch.arange(12, dtype=torch.float32)
    maps.detail[0, 0] = columns[None]
    maps.detail[0, 1] = torch.arange(8, dtype=torch.float32)[:, None]
    # The mean over a box of a map that rises evenly is its value at the box's middle.
    box = torch.tensor([[3 * CELL, 2 * CELL, 6 * CELL, 5 * CELL]], dtype=torch.float32)
    looks = pooled_looks(maps, box)[0, WIDTH:]
    assert looks[:2].tolist() == pytest.approx([4.5 - 0.5, 3.5 - 0.5], abs=1e-4)


def test_padded_keeps_values_and_says_what_is_there() -> None:
    joined, present = padded([torch.ones(2, 3), torch.zeros(0, 3)], value=-1.0)
    assert joined.tolist() == [[[1.0] * 3] * 2, [[-1.0] * 3] * 2]
    assert present.tolist() == [[True, True], [False, False]]
