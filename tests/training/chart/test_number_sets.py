"""Sets of teeth for the numberer: what is done to them keeps each outcome with its tooth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dentasam.model.chart.dentition import ARCHES, NUMBERS
from dentasam.model.chart.finder import IMPLANT_KIND, TOOTH, Finder, FinderMaps
from dentasam.model.chart.numberer import NOT_A_TOOTH, looks_width
from dentasam.training.chart import number_sets as room
from dentasam.training.chart.number_sets import NumberSet, number_sets, varied_set
from dentasam.training.chart.view_store import EncodedView
from dentasam.training.chart.views import ChartTargets
from dentasam.training.recipe.chart_recipe import NumbererTraining

from ...model.chart.maps import DETAIL, WIDTH, empty_maps, mark, small_head

# A tooth of the upper arch is 40 wide, the next one follows at once.
UPPER = ARCHES[0]
SIDE = 40.0


def upper_arch(numbers: tuple[str, ...] = UPPER) -> NumberSet:
    """Teeth in their places; the looks say which tooth it is."""
    outcomes = np.array([NUMBERS.index(number) for number in numbers])
    x = SIDE * np.array([UPPER.index(number) for number in numbers]) + 100
    boxes = np.stack([x, np.full(len(x), 100.0), x + SIDE, np.full(len(x), 200.0)], axis=1).astype(np.float32)
    return NumberSet(boxes, outcomes[:, None].astype(np.float32), outcomes, np.ones(len(x), bool))


def settings(missing: float = 1.0, unseen: float = 0.0) -> NumbererTraining:
    return NumbererTraining(missing=missing, unseen=unseen)


@pytest.mark.parametrize("seed", range(30))
def test_a_varied_set_keeps_every_outcome_with_its_tooth(seed: int) -> None:
    one = upper_arch()
    varied = varied_set(one, settings(), np.random.default_rng(seed))
    assert 1 <= len(varied.outcomes) <= len(one.outcomes)
    assert len(set(varied.outcomes.tolist())) == len(varied.outcomes)
    assert np.array_equal(varied.looks[:, 0], varied.outcomes)
    assert varied.boxes.dtype == np.float32
    assert (varied.boxes[:, :2] < varied.boxes[:, 2:]).all()
    # Teeth that are taken away or moved together leave the others in their order.
    in_order = np.argsort(varied.outcomes)
    middles = (varied.boxes[in_order, 0] + varied.boxes[in_order, 2]) / 2
    assert (np.diff(middles) > 0.3 * SIDE).all()


def test_without_missing_teeth_all_stay() -> None:
    for seed in range(10):
        varied = varied_set(upper_arch(), settings(missing=0.0), np.random.default_rng(seed))
        assert sorted(varied.outcomes) == sorted(upper_arch().outcomes)


def test_a_set_is_never_empty() -> None:
    for seed in range(60):
        assert len(varied_set(upper_arch(("16",)), settings(), np.random.default_rng(seed)).outcomes) == 1


def test_the_same_draws_give_the_same_set_and_leave_the_first_as_it_was() -> None:
    one = upper_arch()
    boxes = one.boxes.copy()
    first, second = (varied_set(one, settings(), np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(vars(first)[name], vars(second)[name]) for name in vars(first))
    assert np.array_equal(one.boxes, boxes)


@pytest.mark.parametrize(("unseen", "expected"), [(1.0, 0.0), (0.0, 0.92)])
def test_the_looks_of_a_share_do_not_count(unseen: float, expected: float) -> None:
    rng = np.random.default_rng(0)
    shares = [varied_set(upper_arch(), settings(unseen=unseen), rng).seen.mean() for _ in range(80)]
    assert np.mean(shares) == pytest.approx(expected, abs=0.03)


class Always(np.random.Generator):
    """Draws the middle of every range, so that each gap is closed."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def random(self, *_: object, **__: object) -> float:  # type: ignore[override]
        return 0.5

    def uniform(self, low: float = 0, high: float = 1, *_: object, **__: object) -> float:  # type: ignore[override]
        return (low + high) / 2


@pytest.mark.parametrize("gap", ["15", "26"])
def test_a_gap_is_closed_by_the_teeth_distal_of_it(gap: str) -> None:
    one = upper_arch()
    lower = [NUMBERS.index(number) for number in ARCHES[1]]
    boxes = np.concatenate([one.boxes, one.boxes + np.array([0, 150, 0, 150])]).astype(np.float64)
    outcomes = np.concatenate([one.outcomes, lower])
    kept = outcomes != NUMBERS.index(gap)
    moved = room._closed(boxes, outcomes, kept, Always())
    shift = moved - boxes
    assert np.array_equal(shift[:, 0], shift[:, 2])
    assert not shift[:, [1, 3]].any()
    right_of_patient = gap[0] == "1"
    for outcome, (x, *_) in zip(outcomes, shift, strict=True):
        name = NUMBERS[outcome]
        distal = name[0] == gap[0] and int(name[1]) > int(gap[1])
        expected = (1 if right_of_patient else -1) * SIDE * (0.5 + 1.05) / 2 if distal else 0.0
        assert x == pytest.approx(expected), name


def view_of(places: list[list[float]], numbers: list[int], kinds: list[int]) -> EncodedView:
    rows, columns = 4, 8
    targets = ChartTargets(
        np.array(places, np.float32).reshape(-1, 6), np.array(numbers, np.int64), np.array(kinds, np.int64)
    )
    return EncodedView(torch.zeros(256, rows, columns), torch.zeros(32, 2 * rows, 2 * columns), targets, True)


def finder_with(monkeypatch: pytest.MonkeyPatch, maps: FinderMaps) -> Finder:
    monkeypatch.setattr(Finder, "forward", lambda *_: maps)
    return small_head().finder


def test_a_view_gives_its_true_boxes_inexact_ones_and_those_that_the_finder_sees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view = view_of(
        [[16, 8, 40, 48, 28, 28], [56, 8, 80, 48, 68, 28], [90, 8, 110, 48, 100, 28]],
        [4, 5, -1],
        [TOOTH, TOOTH, IMPLANT_KIND],
    )
    maps = empty_maps(4, 8)
    mark(maps, TOOTH, 3, 3, logit=4, sides=(1.5, 2.5, 1.5, 2.5))  # the first tooth, exactly
    mark(maps, TOOTH, 3, 12, logit=2, sides=(1, 2, 1, 2))  # at the implant there is no tooth
    exact, inexact, found = number_sets(finder_with(monkeypatch, maps), view, np.random.default_rng(0))
    assert exact.boxes.tolist() == [[16, 8, 40, 48], [56, 8, 80, 48]]
    assert exact.outcomes.tolist() == inexact.outcomes.tolist() == [4, 5]
    assert 0 < np.abs(inexact.boxes - exact.boxes).max() < 12
    assert found.boxes.tolist()[0] == [16, 8, 40, 48]
    assert found.outcomes.tolist() == [4, NOT_A_TOOTH]
    for one in (exact, inexact, found):
        assert one.seen.all()
        assert one.looks.shape == (2, looks_width(WIDTH, DETAIL))


def test_a_view_without_teeth_gives_no_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = finder_with(monkeypatch, empty_maps(4, 8))
    assert number_sets(finder, view_of([], [], []), np.random.default_rng(0)) == []
    alone = view_of([[16, 8, 40, 48, 28, 28]], [4], [TOOTH])
    assert len(number_sets(finder, alone, np.random.default_rng(0))) == 2
