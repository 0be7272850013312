"""Values in messages, and numbers of documents."""

import math
from typing import Any

import pytest

from dentasam.documents.shown import LENGTH, printable, shown, without_middle
from dentasam.documents.values import coordinate, finite, whole


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("36", "'36'"),
        ([1, 2.5, None], "[1, 2.5, None]"),
        (10**400, "a number of 401 digits"),
        ("a\nb\x1b[31m\ud800\u202e", r"'a\nb\x1b[31m\ud800\u202e'"),
        ({"a": {"b": [1] * 99}}, "{'a': {'b': [1, 1, 1, 1, 1, 1, ...]}}"),
    ],
    ids=["text", "list", "long number", "control characters", "nested"],
)
def test_values_are_shown_in_one_line(value: Any, says: str) -> None:
    assert shown(value) == says


def test_long_and_deep_values_are_cut() -> None:
    assert shown(1 << 100_000) == "a number of 30103 digits"
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for value in ("x" * 10**6, [["x" * 999] * 99] * 99, {"x" * 999: 1}, deep):
        assert len(shown(value)) <= LENGTH
    while deep:
        deep = deep[0]  # a list so deep is not freed by Python itself in one go


def test_text_is_made_printable() -> None:
    assert printable("zahn-ä 日本.png") == "zahn-ä 日本.png"
    assert printable("a\x9bb\x7f\n") == "a\\u009bb\\u007f\\n"
    assert without_middle("abcdefgh", 8) == "abcdefgh"
    assert without_middle("abcdefghi", 8) == "abcd…ghi"


@pytest.mark.parametrize("value", [True, "1", None, [], 1.5, 10**400, 2**63, -(2**63) - 1, 1e308, math.inf, math.nan])
def test_what_is_no_whole_number(value: Any) -> None:
    assert whole(value) is None


@pytest.mark.parametrize("value", [True, "1", None, 10**400, math.inf, -math.inf, math.nan])
def test_what_is_no_finite_number(value: Any) -> None:
    assert finite(value) is coordinate(value) is None


def test_numbers() -> None:
    assert (whole(7), whole(7.0), whole(-(2**63)), whole(2**63 - 1)) == (7, 7, -(2**63), 2**63 - 1)
    assert (finite(3), finite(1e308), coordinate(-1e9)) == (3.0, 1e308, -1e9)
    assert coordinate(1e308) is coordinate(1.1e9) is None
