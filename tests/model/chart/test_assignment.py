"""One number for each tooth: held against all assignments that there are, on sets small enough to try them all."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
import pytest

from dentasam.model.chart.assignment import ORDER_NATS, _increasing, assigned
from dentasam.model.chart.dentition import (
    ARCHES,
    CROWDED_SHARE,
    NOT_A_TOOTH,
    NUMBERS,
    OUTCOMES,
    SUPERNUMERARY_OUTCOME,
)

PLACE = {number: place for place, number in enumerate(NUMBERS)}
RARE = -30.0


def scores(*rows: dict[str, float], rare: float = RARE) -> np.ndarray:
    """(P, 54) log probabilities: of each object what is given by name, everything else rare."""
    named = PLACE | {"supernumerary": SUPERNUMERARY_OUTCOME, "none": NOT_A_TOOTH}
    table = np.full((len(rows), OUTCOMES), rare)
    for own, given in zip(table, rows, strict=True):
        for name, value in given.items():
            own[named[name]] = value
    return table


def row_of_teeth(*x: float, width: float = 40.0) -> np.ndarray:
    """(P, 4) boxes of one row, around these middles."""
    return np.array([(middle - width / 2, 100, middle + width / 2, 200) for middle in x]).reshape(-1, 4)


def names(outcomes: np.ndarray) -> list[str]:
    return [{SUPERNUMERARY_OUTCOME: "supernumerary", NOT_A_TOOTH: "none"}.get(int(o)) or NUMBERS[o] for o in outcomes]


@pytest.mark.parametrize("seed", range(6))
def test_each_number_is_given_once_with_the_largest_sum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # One tooth of each arch and kind, so that no order along an arch can interfere.
    likely = [*(PLACE[number] for number in ("16", "46", "55", "85")), SUPERNUMERARY_OUTCOME, NOT_A_TOOTH]
    table = np.full((5, OUTCOMES), RARE)
    table[:, likely] = rng.normal(0, 3, (5, len(likely)))
    best = -np.inf
    for chosen in product(likely, repeat=5):
        given = [outcome for outcome in chosen if outcome < len(NUMBERS)]
        if len(set(given)) == len(given):
            best = max(best, float(table[np.arange(5), list(chosen)].sum()))
    found = assigned(table, row_of_teeth(0, 50, 100, 150, 200))
    assert table[np.arange(5), found].sum() == pytest.approx(best)
    numbers = found[found < len(NUMBERS)]
    assert len(np.unique(numbers)) == len(numbers)


@pytest.mark.parametrize("seed", range(6))
def test_increasing_columns_have_the_largest_sum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    objects, columns = int(rng.integers(1, 6)), 7
    table = rng.normal(0, 3, (objects, columns))
    best = max(combinations(range(columns), objects), key=lambda chosen: table[np.arange(objects), chosen].sum())
    assert tuple(_increasing(table)) == best


def test_as_many_teeth_as_an_arch_has_places_stand_in_order() -> None:
    assert tuple(_increasing(np.zeros((5, 5)))) == (0, 1, 2, 3, 4)


def test_neighbours_that_look_exchanged_are_put_in_order() -> None:
    table = scores({"15": -1.5, "14": -0.5}, {"15": -0.5, "14": -1.4}, {"13": 0.0})
    # By their looks alone the first would be 14 and the second 15, but 15 stands on the left of 14.
    by_sum = max(permutations((PLACE["15"], PLACE["14"])), key=lambda two: table[[0, 1], list(two)].sum())
    assert [NUMBERS[place] for place in by_sum] == ["14", "15"]
    assert names(assigned(table, row_of_teeth(100, 150, 200))) == ["15", "14", "13"]


def test_the_order_of_the_objects_in_the_list_does_not_count() -> None:
    rng = np.random.default_rng(3)
    upper = list(ARCHES[0][:8])
    table = np.full((8, OUTCOMES), RARE)
    table[:, [PLACE[number] for number in upper]] = rng.normal(0, 2, (8, 8))
    boxes = row_of_teeth(*range(0, 400, 50))
    found = names(assigned(table, boxes))
    mixed = rng.permutation(8)
    assert names(assigned(table[mixed], boxes[mixed])) == [found[row] for row in mixed]


@pytest.mark.parametrize(("loss", "expected"), [(-0.4, ["12", "13"]), (0.4, ["13", "12"])])
def test_an_order_that_is_much_less_likely_is_not_enforced(loss: float, expected: list[str]) -> None:
    # The left tooth looks like 12 and the right one like 13, as where a canine erupts on the wrong side.
    wrong = (ORDER_NATS - loss) / 2
    table = scores({"12": 0.0, "13": -wrong}, {"13": 0.0, "12": -wrong})
    assert names(assigned(table, row_of_teeth(100, 150))) == expected


@pytest.mark.parametrize(("apart", "expected"), [(0.9, ["12", "13"]), (1.1, ["13", "12"])])
def test_the_middles_of_crowded_teeth_may_pass_each_other(apart: float, expected: list[str]) -> None:
    table = scores({"12": 0.0, "13": -1.0}, {"13": 0.0, "12": -1.0})
    assert names(assigned(table, row_of_teeth(100, 100 + apart * CROWDED_SHARE * 40))) == expected


def test_order_counts_within_an_arch_alone() -> None:
    # A deciduous tooth and a tooth of the other jaw may stand anywhere beside the permanent ones.
    table = scores({"13": 0.0}, {"53": 0.0}, {"43": 0.0}, {"11": 0.0}, {"51": 0.0})
    assert names(assigned(table, row_of_teeth(100, 50, 400, 200, 10))) == ["13", "53", "43", "11", "51"]


def test_a_known_number_stays_and_is_given_to_no_other() -> None:
    table = scores({"36": 0.0, "37": -2.0}, {"36": -0.1, "37": -9.0}, {"35": -1.0})
    boxes = row_of_teeth(300, 250, 200)
    assert names(assigned(table, boxes)) == ["37", "36", "35"]
    assert names(assigned(table, boxes, [None, "36", None])) == ["37", "36", "35"]
    assert names(assigned(table, boxes, ["36", None, None])) == ["36", "37", "35"]
    # Even where the model sees something else, and out of order.
    assert names(assigned(table, boxes, ["11", None, "48"])) == ["11", "36", "48"]


@pytest.mark.parametrize("name", ["implant", "supernumerary"])
def test_a_known_name_without_a_number_takes_no_number_from_a_tooth(name: str) -> None:
    table = scores({"21": 0.0, "22": -8.0}, {"21": -1.0, "22": -3.0})
    boxes = row_of_teeth(100, 150)
    assert names(assigned(table, boxes)) == ["21", "22"]
    assert names(assigned(table, boxes, [name, None]))[1] == "21"


def test_no_objects_have_no_numbers() -> None:
    assert assigned(np.zeros((0, OUTCOMES)), np.zeros((0, 4))).shape == (0,)
    assert assigned(np.zeros((0, OUTCOMES)), np.zeros((0, 4)), []).shape == (0,)


def test_all_may_be_known() -> None:
    table = scores({"11": 0.0}, {"21": 0.0})
    assert names(assigned(table, row_of_teeth(100, 150), ["21", "11"])) == ["21", "11"]


def test_more_teeth_than_numbers_leave_some_without_one() -> None:
    rng = np.random.default_rng(0)
    table = np.full((60, OUTCOMES), -20.0)
    table[:, : len(NUMBERS)] = rng.normal(0, 1, (60, len(NUMBERS)))
    table[:, SUPERNUMERARY_OUTCOME] = -10.0
    found = assigned(table, row_of_teeth(*range(0, 60 * 50, 50)))
    numbers = found[found < len(NUMBERS)]
    assert sorted(numbers) == list(range(len(NUMBERS)))
    assert (found == SUPERNUMERARY_OUTCOME).sum() == 60 - len(NUMBERS)


def test_what_is_certainly_no_tooth_gets_no_number() -> None:
    table = scores({"none": 0.0}, {"none": 0.0}, {"supernumerary": 0.0}, {"supernumerary": 0.0}, rare=-1e9)
    expected = ["none", "none", "supernumerary", "supernumerary"]
    assert names(assigned(table, row_of_teeth(100, 150, 200, 250))) == expected


def test_the_logits_that_are_given_stay_as_they_are() -> None:
    table = scores({"11": 0.0}, {"11": 0.0})
    before = table.copy()
    assigned(table, row_of_teeth(100, 150), ["11", None])
    assert np.array_equal(table, before)
