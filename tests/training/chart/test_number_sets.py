"""Sets of teeth for the numberer: what is done to them keeps each outcome with its tooth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dentasam.model.chart.dentition import ARCHES, NOT_A_TOOTH, NUMBERS
from dentasam.model.chart.numberer import UNKNOWN
from dentasam.model.chart.shapes import SHAPE, shapes_of
from dentasam.model.core.frame import Frame
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.training.chart import number_sets as room
from dentasam.training.chart.number_sets import NumberSet, bent, drawn_set, found_set, varied_set
from dentasam.training.chart.views import outlines, unvaried_view
from dentasam.training.recipe.chart_recipe import NumbererTraining

from ...model.chart.given_head import Thing, drawn, given_head
from ...model.windows.scenes import bright

# A tooth of the upper arch is 40 wide, the next one follows at once.
UPPER = ARCHES[0]
SIDE = 40.0


def upper_arch(numbers: tuple[str, ...] = UPPER) -> NumberSet:
    """Teeth in their places; their shapes say which tooth it is."""
    outcomes = np.array([NUMBERS.index(number) for number in numbers])
    x = SIDE * np.array([UPPER.index(number) for number in numbers]) + 100
    boxes = np.stack([x, np.full(len(x), 100.0), x + SIDE, np.full(len(x), 200.0)], axis=1).astype(np.float32)
    shapes = np.broadcast_to(outcomes[:, None, None], (len(x), *SHAPE)).astype(np.float32)
    return NumberSet(boxes, shapes, np.ones(len(x), bool), outcomes, np.full(len(x), UNKNOWN), 1024)


def settings(missing: float = 1.0, unseen: float = 0.0, known: float = 0.0) -> NumbererTraining:
    return NumbererTraining(missing=missing, unseen=unseen, known=known)


# Places of the upper arch, right and left exchanged.
OTHER_SIDE = {NUMBERS.index(right): NUMBERS.index(left) for right, left in zip(UPPER, UPPER[::-1], strict=True)}


@pytest.mark.parametrize("seed", range(30))
def test_a_varied_set_keeps_every_outcome_with_its_tooth(seed: int) -> None:
    one = upper_arch()
    varied = varied_set(one, settings(), np.random.default_rng(seed))
    assert 1 <= len(varied.outcomes) <= len(one.outcomes)
    assert len(set(varied.outcomes.tolist())) == len(varied.outcomes)
    own = varied.shapes[:, 0, 0].astype(int)
    as_they_were, mirrored = own, np.array([OTHER_SIDE[outcome] for outcome in own])
    assert np.array_equal(varied.outcomes, as_they_were) or np.array_equal(varied.outcomes, mirrored)
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
def test_the_shapes_of_a_share_do_not_count(unseen: float, expected: float) -> None:
    rng = np.random.default_rng(0)
    shares = [varied_set(upper_arch(), settings(unseen=unseen), rng).seen.mean() for _ in range(80)]
    assert np.mean(shares) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(("known", "expected"), [(1.0, 0.5), (0.0, 0.0)])
def test_some_numbers_are_given_as_they_are(known: float, expected: float) -> None:
    rng = np.random.default_rng(0)
    sets = [varied_set(upper_arch(), settings(known=known), rng) for _ in range(150)]
    assert np.mean([(one.known != UNKNOWN).mean() for one in sets]) == pytest.approx(expected, abs=0.08)
    for one in sets:
        given = one.known != UNKNOWN
        assert np.array_equal(one.known[given], one.outcomes[given])


def test_a_mirrored_set_has_mirrored_boxes_shapes_and_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_MIRRORED", 1.0)
    monkeypatch.setattr(room, "_laid_out", lambda boxes, rng: boxes)
    one = upper_arch(("16", "21"))
    one.shapes[:] = np.arange(SHAPE[1])
    varied = varied_set(one, settings(missing=0.0), np.random.default_rng(0))
    by_name = {NUMBERS[outcome]: row for row, outcome in enumerate(varied.outcomes)}
    assert set(by_name) == {"26", "11"}
    assert varied.boxes[by_name["26"]].tolist() == [1024 - one.boxes[0, 2], 100, 1024 - one.boxes[0, 0], 200]
    assert varied.shapes[0, 0].tolist() == list(range(SHAPE[1]))[::-1]


def test_a_bent_shape_stays_like_itself() -> None:
    shape = np.zeros((200, *SHAPE), np.float32)
    shape[:, 4:20, 3:13] = 1
    changed = bent(torch.from_numpy(shape), np.random.default_rng(0)).numpy()
    assert changed.shape == shape.shape
    assert changed.mean() == pytest.approx(shape.mean(), abs=0.05)
    assert np.abs(changed - shape).mean(axis=(1, 2)).min() > 0.005
    # What is in the middle stays there on the whole.
    assert changed[:, 10:14, 6:10].mean() > 0.95
    assert changed[:, 0].mean() < 0.05


class Always(np.random.Generator):
    """Draws the middle of every range, so that each gap is closed."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def random(self, *_: object, **__: object) -> float:  # type: ignore[override]
        return 0.5

    def beta(self, *_: object, **__: object) -> float:  # type: ignore[override]
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
        expected = (1 if right_of_patient else -1) * SIDE * 1.05 / 2 if distal else 0.0
        assert x == pytest.approx(expected), name


HEIGHT, WIDTH = 500, 1000
TEETH = [
    Thing("16", (200, 90, 250, 220)),
    Thing("11", (420, 90, 460, 230), logit=-1.0),
    Thing("26", (700, 95, 750, 225)),
]


def test_annotated_teeth_are_a_set_with_implants_that_are_not_teeth() -> None:
    masks = np.zeros((3, HEIGHT, WIDTH), bool)
    masks[0, 90:220, 200:250] = masks[1, 90:230, 420:460] = masks[2, 300:400, 600:640] = True
    targets = unvaried_view(np.zeros((HEIGHT, WIDTH), np.uint8), outlines(masks, ["16", "11", "implant"]))[2]
    one = drawn_set(targets, 1024)
    assert one.outcomes.tolist() == [NUMBERS.index("16"), NUMBERS.index("11"), NOT_A_TOOTH]
    boxes = np.array([[200, 90, 250, 220], [420, 90, 460, 230], [600, 300, 640, 400]])
    assert one.boxes == pytest.approx(boxes * 1.024, abs=1)
    assert one.shapes == pytest.approx(np.ones((3, *SHAPE)), abs=0.05)
    assert one.width == 1024
    assert one.seen.all()
    assert (one.known == UNKNOWN).all()


def test_what_the_finder_finds_gets_the_number_of_the_tooth_in_its_place() -> None:
    # A ghost lies where nothing is annotated; what is too faint for a chart is looked at too.
    ghost = Thing("36", (700, 300, 750, 420))
    image, masks = drawn([*TEETH, ghost], HEIGHT, WIDTH)
    targets = unvaried_view(image, outlines(masks[:3], [thing.name for thing in TEETH]))[2]
    head = given_head([*TEETH, ghost], Frame.of(HEIGHT, WIDTH))
    one = found_set(head, bright(image, windows=False), targets)
    names = ["none" if outcome == NOT_A_TOOTH else NUMBERS[outcome] for outcome in one.outcomes]
    assert sorted(names) == ["11", "16", "26", "none"]
    for name, box, shape in zip(names, one.boxes, one.shapes, strict=True):
        thing = ghost if name == "none" else next(thing for thing in TEETH if thing.name == name)
        assert box == pytest.approx(np.array(thing.box) * 1.024, abs=4)
        mask = masks[[*TEETH, ghost].index(thing)]
        assert np.abs(shape - shapes_of([BoxedMask(0, 0, mask)])[0]).mean() < 0.1
    assert one.seen.all()


def test_a_share_of_the_sets_is_without_what_is_not_a_tooth() -> None:
    one = upper_arch()
    one.outcomes[3] = NOT_A_TOOTH
    rng = np.random.default_rng(0)
    with_it = [NOT_A_TOOTH in varied_set(one, settings(missing=0.0), rng).outcomes for _ in range(200)]
    assert np.mean(with_it) == pytest.approx(0.5, abs=0.12)


def test_an_image_without_teeth_gives_an_empty_set() -> None:
    image = np.full((HEIGHT, WIDTH), 20, np.uint8)
    targets = unvaried_view(image, [])[2]
    assert len(drawn_set(targets, 1024).outcomes) == 0
    assert len(found_set(given_head([], Frame.of(HEIGHT, WIDTH)), bright(image), targets).outcomes) == 0
    alone, _ = drawn(TEETH[:1], HEIGHT, WIDTH)
    seen = found_set(given_head(TEETH[:1], Frame.of(HEIGHT, WIDTH)), bright(alone), targets)
    assert seen.outcomes.tolist() == [NOT_A_TOOTH]
