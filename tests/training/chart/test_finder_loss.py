"""What the finder is taught: perfect maps cost next to nothing, and what is not judged teaches nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dentasam.model.chart.detections import detections
from dentasam.model.chart.finder import CELL, IMPLANT_KIND, TOOTH, FinderMaps
from dentasam.model.chart.shapes import SHAPE
from dentasam.training.chart.finder_loss import FinderTargets, finder_loss, finder_targets
from dentasam.training.chart.views import ChartTargets, unvaried_view

# Four tokens by eight: 8 x 16 cells.
ROWS, COLUMNS = 8, 16
PLACES = np.array(
    [
        [20, 10, 40, 50, 30.5, 29.5],
        [70, 8, 94, 44, 82.5, 26.5],
        [100, 20, 118, 60, 108.5, 41.5],
    ],
    np.float32,
)
KINDS = np.array([TOOTH, IMPLANT_KIND, TOOTH])
VIEW = ChartTargets(PLACES, np.array([3, -1, 51]), KINDS, np.zeros((3, *SHAPE), np.float32))


def targets_of(
    view: ChartTargets = VIEW, implants: bool = True, grid: tuple[int, int] = (ROWS, COLUMNS)
) -> FinderTargets:
    return finder_targets([view], [grid], (ROWS, COLUMNS), [implants])


def leaves(centres: torch.Tensor, offsets: torch.Tensor, sides: torch.Tensor) -> FinderMaps:
    """Maps whose gradients can be looked at."""
    for plane in (centres, offsets, sides):
        plane.requires_grad_()
    return FinderMaps(centres, offsets, sides)


def perfect(targets: FinderTargets) -> FinderMaps:
    """The maps that the targets ask for, as leaves of a graph."""
    batch, _, rows, columns = targets.heat.shape
    offsets, sides = torch.zeros(batch, 2, rows, columns), torch.ones(batch, 4, rows, columns)
    for row in targets.rows.flip(0):  # where cells are taught twice, the first one counts
        at = int(row[0]), slice(None), int(row[1]), int(row[2])
        offsets[at], sides[at] = row[3:5], row[5:9]
    centres = torch.where(targets.heat >= 1, 9.0, -9.0)
    return leaves(centres, offsets, sides)


def test_perfect_maps_cost_next_to_nothing() -> None:
    targets = targets_of()
    total, parts = finder_loss(perfect(targets), targets)
    assert parts["boxes"] == pytest.approx(0, abs=1e-5)
    assert parts["offsets"] == pytest.approx(0, abs=1e-6)
    assert parts["centres"] < 0.01
    assert float(total.detach()) == pytest.approx(sum(parts.values()), abs=1e-5)


@pytest.mark.parametrize("part", ["centres", "offsets", "sides"])
def test_every_error_costs(part: str) -> None:
    targets = targets_of()
    maps = perfect(targets)
    best, _ = finder_loss(maps, targets)
    wrong = {
        "centres": -maps.centres,
        "offsets": maps.offsets + 0.5,
        "sides": maps.sides * 1.5,
    }
    worse, _ = finder_loss(replace(maps, **{part: wrong[part].detach()}), targets)
    assert float(worse.detach()) > float(best.detach()) + 0.05


def test_the_maps_that_are_asked_for_give_the_boxes_back() -> None:
    maps = perfect(targets_of())
    with torch.no_grad():
        teeth, implants = detections(maps, TOOTH, 0.2), detections(maps, IMPLANT_KIND, 0.2)
    order = np.argsort(teeth.boxes[:, 0].numpy())
    assert teeth.boxes.numpy()[order] == pytest.approx(PLACES[[0, 2], :4], abs=1e-3)
    assert teeth.clicks.numpy()[order] == pytest.approx(PLACES[[0, 2], 4:], abs=1e-3)
    assert implants.boxes.numpy() == pytest.approx(PLACES[1:2, :4], abs=1e-3)


def test_heat_is_highest_where_the_middle_lies_and_falls_off() -> None:
    heat = targets_of().heat[0]
    middles = {(int(y // CELL), int(x // CELL)) for x, y in PLACES[[0, 2], 4:]}
    assert {(int(r), int(c)) for r, c in torch.nonzero(heat[TOOTH] >= 1)} == middles
    assert torch.nonzero(heat[IMPLANT_KIND] >= 1).tolist() == [[26 // CELL, 82 // CELL]]
    # A tooth is higher than wide, and so is its hill.
    row, column = 29 // CELL, 30 // CELL
    assert 0 < heat[TOOTH, row, column + 2] < heat[TOOTH, row + 2, column] < heat[TOOTH, row + 1, column] < 1


def test_the_cells_beside_a_middle_have_the_same_box() -> None:
    rows = targets_of(replace(VIEW, places=PLACES[:1], numbers=VIEW.numbers[:1], kinds=VIEW.kinds[:1])).rows
    assert len(rows) == 5
    assert rows[:, 9].tolist() == pytest.approx([1.0] + [0.35] * 4)
    middle = rows[:, 1:3].flip(1) + 0.5 + rows[:, 3:5]
    assert (middle * CELL).numpy() == pytest.approx(np.tile(PLACES[0, 4:], (5, 1)), abs=1e-4)


def gradients(maps: FinderMaps, targets: FinderTargets) -> dict[str, torch.Tensor]:
    finder_loss(maps, targets)[0].backward()
    named = {name: getattr(maps, name).grad for name in ("centres", "offsets", "sides")}
    return {name: torch.zeros(()) if grad is None else grad for name, grad in named.items()}


def random_maps(batch: int = 1) -> FinderMaps:
    made = torch.Generator().manual_seed(0)
    sizes = (2, 2, 4)
    planes = [torch.randn(batch, channels, ROWS, COLUMNS, generator=made) for channels in sizes]
    planes[2] = planes[2].exp()
    return leaves(*planes)


def test_beyond_a_views_own_grid_nothing_is_judged() -> None:
    view = replace(VIEW, places=PLACES[:2], numbers=VIEW.numbers[:2], kinds=VIEW.kinds[:2])
    found = gradients(random_maps(), targets_of(view, grid=(6, 12)))
    for name, gradient in found.items():
        assert not gradient[..., 6:, :].any(), name
        assert not gradient[..., 12:].any(), name
        assert gradient[..., :6, :12].any(), name


def test_a_middle_beyond_the_grid_is_left_out() -> None:
    assert len(targets_of(grid=(6, 12)).rows) == 10


def test_implants_that_are_not_annotated_are_not_judged() -> None:
    teeth = replace(VIEW, places=PLACES[::2], numbers=VIEW.numbers[::2], kinds=VIEW.kinds[::2])
    found = gradients(random_maps(), targets_of(teeth, implants=False))
    assert not found["centres"][:, IMPLANT_KIND].any()
    assert found["centres"][:, TOOTH].all()
    annotated = gradients(random_maps(), targets_of(teeth, implants=True))
    assert annotated["centres"][:, IMPLANT_KIND].all()


def test_an_image_without_teeth_teaches_that_there_are_none() -> None:
    nothing = unvaried_view(np.zeros((64, 128), np.uint8), [])[2]
    targets = targets_of(nothing)
    assert targets.rows.shape == (0, 10)
    maps = random_maps()
    total, parts = finder_loss(maps, targets)
    assert list(parts) == ["centres"]
    total.backward()
    assert maps.centres.grad is not None
    assert bool((maps.centres.grad > 0).all())


def test_a_batch_teaches_each_view_its_own() -> None:
    other = replace(VIEW, places=PLACES[:1], numbers=VIEW.numbers[:1], kinds=VIEW.kinds[:1])
    both = finder_targets([VIEW, other], [(ROWS, COLUMNS)] * 2, (ROWS, COLUMNS), [True, False])
    assert torch.equal(both.heat[0], targets_of().heat[0])
    assert torch.equal(both.heat[1], targets_of(other).heat[0])
    assert both.counts[:, IMPLANT_KIND].amax((1, 2)).tolist() == [1, 0]
    assert [int((both.rows[:, 0] == row).sum()) for row in (0, 1)] == [15, 5]
