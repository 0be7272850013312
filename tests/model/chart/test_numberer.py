"""The numberer sees a set: neither the order of the objects nor padding changes what it says of each."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dentasam.model.chart.dentition import NUMBERS, OUTCOME_OF, OUTCOMES, SUPERNUMERARY_OUTCOME, mirrored
from dentasam.model.chart.numberer import GEOMETRY, RELATION, UNKNOWN, Numberer, geometry, padded, relations
from dentasam.model.chart.shapes import SHAPE

from .maps import small_head


@pytest.fixture(scope="module")
def numberer() -> Numberer:
    own = small_head().numberer
    torch.nn.init.normal_(own.known.weight, std=0.3)
    return own


def drawn(objects: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Boxes (P, 4) of two rows of teeth, and shapes (P, 24, 16)."""
    made = torch.Generator().manual_seed(seed)
    corner = torch.rand(objects, 2, generator=made) * torch.tensor([900.0, 300.0]) + 30
    size = torch.rand(objects, 2, generator=made) * torch.tensor([30.0, 60.0]) + 20
    return torch.cat([corner, corner + size], dim=1), torch.rand(objects, *SHAPE, generator=made)


@torch.inference_mode()
def logits(
    numberer: Numberer, boxes: Tensor, shapes: Tensor, seen: Tensor | None = None, known: Tensor | None = None
) -> Tensor:
    present = torch.ones(1, len(boxes), dtype=torch.bool)
    known = torch.full((len(boxes),), UNKNOWN) if known is None else known
    return numberer(boxes[None], shapes[None], present if seen is None else seen[None], known[None], present)[0]


def test_the_order_of_the_objects_changes_nothing(numberer: Numberer) -> None:
    boxes, shapes = drawn(11)
    order = torch.randperm(11, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(
        logits(numberer, boxes, shapes)[order], logits(numberer, boxes[order], shapes[order]), atol=1e-5
    )


def test_padding_changes_nothing(numberer: Numberer) -> None:
    sets = [drawn(objects, objects) for objects in (3, 9, 1)]
    boxes, present = padded([one for one, _ in sets])
    assert present.sum(1).tolist() == [3, 9, 1]
    shapes = torch.full((*present.shape, *SHAPE), 7.0)
    shapes[present] = torch.cat([own for _, own in sets])
    with torch.inference_mode():
        together = numberer(boxes, shapes, present, torch.full(present.shape, UNKNOWN), present)
    assert together.shape == (3, 9, OUTCOMES)
    for row, (one, own) in enumerate(sets):
        assert torch.allclose(together[row, : len(one)], logits(numberer, one, own), atol=1e-4)


def test_a_shape_that_is_not_seen_does_not_count(numberer: Numberer) -> None:
    boxes, shapes = drawn(6)
    seen = torch.tensor([True, False, True, False, False, True])
    other = torch.where(seen[:, None, None], shapes, drawn(6, 5)[1] * 10)
    assert torch.equal(logits(numberer, boxes, shapes, seen), logits(numberer, boxes, other, seen))
    assert not torch.allclose(logits(numberer, boxes, shapes), logits(numberer, boxes, other))


def test_neighbours_count(numberer: Numberer) -> None:
    boxes, shapes = drawn(6)
    alone = logits(numberer, boxes[:1], shapes[:1])[0]
    assert float((alone - logits(numberer, boxes, shapes)[0]).abs().max()) > 1e-3


def test_a_known_number_counts_for_the_others(numberer: Numberer) -> None:
    boxes, shapes = drawn(6)
    known = torch.full((6,), UNKNOWN)
    known[2] = OUTCOME_OF["36"]
    assert float((logits(numberer, boxes, shapes, known=known) - logits(numberer, boxes, shapes))[0].abs().max()) > 0


def test_a_mirror_image_has_mirrored_probabilities(numberer: Numberer) -> None:
    boxes, shapes = drawn(7)
    seen, known = torch.ones(7, dtype=torch.bool), torch.full((7,), UNKNOWN)
    known[1] = OUTCOME_OF["24"]
    other = known.clone()
    other[1] = OUTCOME_OF["14"]
    flipped = torch.stack([1000 - boxes[:, 2], boxes[:, 1], 1000 - boxes[:, 0], boxes[:, 3]], dim=1)
    with torch.inference_mode():
        plain = numberer.probabilities(boxes, shapes, seen, known, 1000.0)
        turned = numberer.probabilities(flipped, shapes.flip(-1), seen, other, 1000.0)
    assert plain.sum(-1).tolist() == pytest.approx([1.0] * 7)
    swapped = [OUTCOME_OF[mirrored(number)] for number in NUMBERS] + list(range(SUPERNUMERARY_OUTCOME, OUTCOMES))
    assert torch.allclose(plain, turned[:, swapped], atol=1e-5)
    # It is the mean over both, not the image alone.
    assert not torch.allclose(plain, logits(numberer, boxes, shapes, known=known).double().softmax(-1), atol=1e-4)


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


def test_padded_keeps_values_and_says_what_is_there() -> None:
    joined, present = padded([torch.ones(2, 3), torch.zeros(0, 3)])
    assert joined.tolist() == [[[1.0] * 3] * 2, [[0.0] * 3] * 2]
    assert present.tolist() == [[True, True], [False, False]]
