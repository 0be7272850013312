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


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a; @SUM(A1)", "a;' @SUM(A1)"),
        ("a;-b", "a;'-b"),
        ("5 5 1;-3 2 0", "5 5 1;-3 2 0"),
        ("\u200b=1", r"\u200b=1"),
        ("\u200d=1", "'\u200d=1"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\x9b2Jb\x7f\x00", r"a\u009b2Jb\u007f\u0000"),
        (r"a\u202e", r"a\\u202e"),
        ("a\\\u202e", r"a\\\u202e"),
        (r"C:\users", r"C:\users"),
        ("a\u2028b", r"a\u2028b"),
    ],
)
def test_what_is_written_and_read_back(text: str, written: str) -> None:
    assert cell(text) == written
    assert as_written(written) == text


@given(st.text(alphabet="=+-@'\";\\u202e0 \t\r\na1＝\u202e\x9b\u200b", max_size=16))
def test_every_text_is_read_back_and_starts_no_formula(text: str) -> None:
    (row,) = csv.reader(io.StringIO(csv_text([[text, "x"]]), newline=""))
    assert as_written(row[0]) == text
    assert NUMBER.fullmatch(text) or not row[0].lstrip(' "\u00a0').startswith(FORMULA_STARTS)
