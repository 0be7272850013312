"""Numbers that stand in texts are read as every program reads them."""

import math

import pytest

from dentasam.documents.values import is_digits, number_in, whole_in


@pytest.mark.parametrize(("text", "number"), [("12", 12), (" 12 ", 12), ("-3", -3), ("+7", 7), ("007", 7)])
def test_whole_numbers(text: str, number: int) -> None:
    assert whole_in(text) == number
    assert number_in(text) == number


@pytest.mark.parametrize("text", ["1_0", "٦٤", "６４", "1\u00a0", "", "x", "0x5", "१"])
def test_what_only_python_takes_for_a_number_is_none(text: str) -> None:
    for read in (whole_in, number_in):
        with pytest.raises(ValueError, match="digits of ASCII|invalid literal|could not convert"):
            read(text)
    assert not is_digits(text)


def test_decimals() -> None:
    assert [number_in(text) for text in (".5", "1e3", "-0.25")] == [0.5, 1000, -0.25]
    assert math.isnan(number_in("nan"))
    with pytest.raises(ValueError, match="digits of ASCII"):
        number_in(".1_0")
    assert is_digits("0042")
