"""The order of a chart, written down by hand, and what is missing from a set of teeth."""

import pytest

from dentasam.model.chart.dentition import (
    ARCHES,
    CHART_NAMES,
    IMPLANT,
    NUMBERS,
    PERMANENT,
    SUPERNUMERARY_TOOTH,
    chart_place,
    missing_numbers,
    successor,
)

# What a reader of a panoramic calls out, from the image's left to its right, first the upper and then the lower jaw.
CHART_ORDER = (
    "18 17 16 15 55 14 54 13 53 12 52 11 51 21 61 22 62 23 63 24 64 25 65 26 27 28 "
    "48 47 46 45 85 44 84 43 83 42 82 41 81 31 71 32 72 33 73 34 74 35 75 36 37 38"
)


def test_chart_order_is_that_of_a_panoramic() -> None:
    assert " ".join(sorted(NUMBERS, key=chart_place)) == CHART_ORDER
    assert len({chart_place(number) for number in NUMBERS}) == len(NUMBERS) == 52


@pytest.mark.parametrize("name", [IMPLANT, SUPERNUMERARY_TOOTH, "restoration", ""])
def test_what_has_no_number_comes_last(name: str) -> None:
    assert chart_place(name) > max(chart_place(number) for number in NUMBERS)


def test_arches_are_written_from_left_to_right() -> None:
    assert [" ".join(arch) for arch in ARCHES] == [
        "18 17 16 15 14 13 12 11 21 22 23 24 25 26 27 28",
        "48 47 46 45 44 43 42 41 31 32 33 34 35 36 37 38",
        "55 54 53 52 51 61 62 63 64 65",
        "85 84 83 82 81 71 72 73 74 75",
    ]
    assert (*NUMBERS, IMPLANT, SUPERNUMERARY_TOOTH) == CHART_NAMES


@pytest.mark.parametrize(
    ("deciduous", "permanent"), [("55", "15"), ("51", "11"), ("61", "21"), ("75", "35"), ("84", "44"), ("82", "42")]
)
def test_a_deciduous_tooth_has_a_successor(deciduous: str, permanent: str) -> None:
    assert successor(deciduous) == permanent


@pytest.mark.parametrize("name", ["11", "48", "56", IMPLANT, SUPERNUMERARY_TOOTH, ""])
def test_nothing_else_has_one(name: str) -> None:
    assert successor(name) is None


def test_missing_are_places_without_the_tooth_and_without_its_predecessor() -> None:
    assert missing_numbers([]) == PERMANENT
    assert missing_numbers(PERMANENT) == ()
    there = [number for number in PERMANENT if number not in ("18", "15", "36", "41")]
    assert missing_numbers([*there, "55"]) == ("18", "41", "36")
    assert missing_numbers([*there, IMPLANT, SUPERNUMERARY_TOOTH]) == ("18", "15", "41", "36")
