"""No cell of a table begins like a formula, numbers stay numbers, and every text can be read back."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentasam.data.table import NUMBER, as_written, cell, csv_text

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "=1+1.png",
        "@SUM(A1)",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "\t=1",
        " =1",
        "\u00a0=1",
        '"=1',
        '""=1',
        "＝1+1",
        "＠SUM(A1)",
        "-",
    ],
)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert as_written(f"'{text}") == text


def test_a_formula_on_a_later_line_gets_one_too() -> None:
    assert cell("a.png\n=1+1") == "a.png\n'=1+1"


@pytest.mark.parametrize("value", [-5, -0.25, "-0.250000", "+3", "-1e-05", "36", "", "tooth 36", "a=b", "x-y", None])
def test_numbers_and_plain_texts_stay(value: object) -> None:
    assert cell(value) == value


@given(st.text(alphabet="=+-@'\" \t\r\na1＝", max_size=12))
def test_every_text_is_read_back_and_starts_no_formula(text: str) -> None:
    (row,) = csv.reader(io.StringIO(csv_text([[text, "x"]]), newline=""))
    assert as_written(row[0]) == text
    assert NUMBER.fullmatch(text) or not row[0].lstrip(' "\u00a0').startswith(FORMULA_STARTS)
