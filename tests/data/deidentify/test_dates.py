"""Dates: the calendar of the standard library is the oracle of the shift."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dentasam.data.deidentify.dates import day_of, shifted, spellings


@settings(max_examples=50)
@given(st.dates(min_value=date(1900, 1, 1)), st.integers(1, 3650), st.sampled_from(["", "101112", "101112.5+0100"]))
def test_shift_is_by_whole_days(day: date, days: int, time: str) -> None:
    moved = shifted(f"{day:%Y%m%d}{time}", days)
    assert date.fromisoformat(moved) == day - timedelta(days)


@pytest.mark.parametrize("text", ["", "2021", "202106", "20211340", "yesterday", "00000000", "2021061", "\0\0"])
def test_what_is_no_day_is_dropped(text: str) -> None:
    assert day_of(text) is None
    assert shifted(text, 1) == ""


def test_old_form_and_first_days() -> None:
    assert shifted("2021.06.12", 12) == "20210531"
    assert shifted("00010101", 1) == ""
    assert shifted("09990102", 1) == "09990101"


def test_spellings() -> None:
    assert {"19370203", "1937-02-03", "03.02.1937", "02/03/1937"} <= spellings(date(1937, 2, 3))
