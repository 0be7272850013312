"""Which neighbouring teeth of a chart are exchanged, as a panoramic shows them."""

from __future__ import annotations

from dentasam.data.teeth.arch_order import Box, exchanged_neighbours, neighbours
from dentasam.model.chart.dentition import ARCHES


def chart(*numbers: str, width: float = 20) -> list[tuple[str, Box]]:
    """Teeth side by side, from left to right."""
    return [(number, (30.0 * place, 100.0, width, 60.0)) for place, number in enumerate(numbers)]


def test_the_arches_run_from_the_patients_right_to_the_left() -> None:
    upper, lower, upper_deciduous, lower_deciduous = ARCHES
    assert " ".join(upper) == "18 17 16 15 14 13 12 11 21 22 23 24 25 26 27 28"
    assert " ".join(lower) == "48 47 46 45 44 43 42 41 31 32 33 34 35 36 37 38"
    assert " ".join(upper_deciduous) == "55 54 53 52 51 61 62 63 64 65"
    assert " ".join(lower_deciduous) == "85 84 83 82 81 71 72 73 74 75"


def test_a_chart_in_order_with_gaps_has_none() -> None:
    for arch in ARCHES:
        assert exchanged_neighbours(chart(*arch)) == []
        assert exchanged_neighbours(chart(*arch[::3], "implant")) == []


def test_a_pair_that_is_exchanged_is_found_next_to_missing_teeth_too() -> None:
    assert exchanged_neighbours(chart("43", "44", "31", "33")) == [("44", "43")]
    assert exchanged_neighbours(chart("36", "33")) == [("33", "36")]
    # The two jaws and the two dentitions have nothing to do with each other.
    assert exchanged_neighbours(chart("36", "16", "75", "55")) == []


def test_crowded_teeth_may_pass_each_other_a_little() -> None:
    def overlapping(by: float) -> list[tuple[str, Box]]:
        return [("12", (100.0 + by, 0.0, 20.0, 60.0)), ("11", (90.0, 0.0, 40.0, 60.0))]

    assert exchanged_neighbours(overlapping(1.9)) == []
    assert exchanged_neighbours(overlapping(2.1)) == [("12", "11")]


def test_a_number_that_is_there_twice_says_nothing() -> None:
    assert exchanged_neighbours(chart("33", "34", "33")) == []


def test_neighbours_are_counted_in_each_arch() -> None:
    assert neighbours(["11", "12", "21", "36", "implant"]) == 2
    assert neighbours([]) == 0
