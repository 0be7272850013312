"""Tooth numbers in three systems, with charts written out from the left to the right of a panoramic as oracle."""

from __future__ import annotations

import pytest

from dentasam.data.teeth.numbering import Numbering, Verdict, from_fdi, recognise, to_fdi

FDI, UNIVERSAL, PALMER = Numbering.fdi, Numbering.universal, Numbering.palmer
CHART = {
    FDI: """18 17 16 15 14 13 12 11 21 22 23 24 25 26 27 28  48 47 46 45 44 43 42 41 31 32 33 34 35 36 37 38
            55 54 53 52 51 61 62 63 64 65  85 84 83 82 81 71 72 73 74 75""",
    UNIVERSAL: """1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16  32 31 30 29 28 27 26 25 24 23 22 21 20 19 18 17
            A B C D E F G H I J  T S R Q P O N M L K""",
    PALMER: """UR8 UR7 UR6 UR5 UR4 UR3 UR2 UR1 UL1 UL2 UL3 UL4 UL5 UL6 UL7 UL8
            LR8 LR7 LR6 LR5 LR4 LR3 LR2 LR1 LL1 LL2 LL3 LL4 LL5 LL6 LL7 LL8
            URE URD URC URB URA ULA ULB ULC ULD ULE  LRE LRD LRC LRB LRA LLA LLB LLC LLD LLE""",
}
TEETH = {numbering: text.split() for numbering, text in CHART.items()}
_JAWS = (("87654321", "⏌", "⎿"), ("87654321", "⏋", "⎾"), ("EDCBA", "⏌", "⎿"), ("EDCBA", "⏋", "⎾"))
SYMBOLS = [
    name
    for places, right, left in _JAWS
    for name in (*(place + right for place in places), *(left + place for place in reversed(places)))
]
SPELLINGS = """36|036|36.0| 36 |#36|# 36|No. 36|T36|t36|tooth 36|Tooth_36|tooth-36|tooth36|tooth #36|FDI 36|fdi:36
FDI_36|FDI tooth 36|3.6""".replace("\n", "|").split("|")
OTHER_NAMES = {
    FDI: "19|56|UR1|A|36 crown|36.5|T1||336|-36|٣٦|Universal 36|3.9",
    UNIVERSAL: "36|99|0|U|FDI 11|3.6|tooth|implant|TA|UR1",
    PALMER: "UR9|URF|8|⏌8|8⎿|UR|36|A",
}


@pytest.mark.parametrize("numbering", Numbering)
def test_each_tooth_has_its_name_in_each_system(numbering: Numbering) -> None:
    assert [from_fdi(number, numbering) for number in TEETH[FDI]] == TEETH[numbering]
    assert [to_fdi(name, numbering) for name in TEETH[numbering]] == TEETH[FDI]
    assert [to_fdi(name.lower(), numbering) for name in TEETH[numbering]] == TEETH[FDI]


def test_the_symbols_of_palmer_are_read() -> None:
    assert [to_fdi(name, PALMER) for name in SYMBOLS] == TEETH[FDI]
    boxes = str.maketrans("⏌⎿⏋⎾", "┘└┐┌")
    assert [to_fdi(name.translate(boxes), PALMER) for name in SYMBOLS] == TEETH[FDI]


@pytest.mark.parametrize("name", SPELLINGS)
def test_common_spellings_are_read(name: str) -> None:
    assert to_fdi(name, FDI) == "36"


@pytest.mark.parametrize("numbering", Numbering)
def test_what_is_not_a_number_of_the_system_is_none(numbering: Numbering) -> None:
    assert [name for name in OTHER_NAMES[numbering].split("|") if to_fdi(name, numbering) is not None] == []


def test_universal_supernumerary_teeth_have_no_fdi_number() -> None:
    permanent, deciduous = map(str, range(51, 83)), (f"{letter}S" for letter in "ABCDEFGHIJKLMNOPQRST")
    assert {to_fdi(name, UNIVERSAL) for name in [*permanent, *deciduous]} == {"supernumerary"}
    assert to_fdi("50", UNIVERSAL) is None
    assert to_fdi("83", UNIVERSAL) is None


@pytest.mark.parametrize("numbering", Numbering)
def test_other_names_are_written_as_they_are(numbering: Numbering) -> None:
    for name in ("implant", "supernumerary", "19", ""):
        assert from_fdi(name, numbering) == name


@pytest.mark.parametrize("numbering", Numbering)
def test_a_whole_chart_is_recognised(numbering: Numbering) -> None:
    permanent, deciduous = TEETH[numbering][:32], TEETH[numbering][32:]
    for names in (permanent, deciduous, permanent + deciduous, [f"tooth {name}" for name in permanent]):
        found = recognise([*names, "implant", "root filling"])
        assert (found.verdict, found.numbering) == (Verdict.clear, numbering)


@pytest.mark.parametrize(
    ("numbering", "sets"),
    [
        (FDI, "48 11|51 11|83|A B 36|A B 51"),
        (UNIVERSAL, "9 11|51 9|56 11|A B 11|A B C D E|A B 56"),
        (PALMER, "UR1|A B UR1|⎿8 crown"),
    ],
)
def test_one_decisive_number_is_enough(numbering: Numbering, sets: str) -> None:
    for names in sets.split("|"):
        found = recognise(names.split())
        assert (names, found.verdict, found.numbering) == (names, Verdict.clear, numbering)


def test_names_without_numbers_are_not_numbered() -> None:
    for names in ([], ["caries", "implant"], ["A", "B", "C", "D"], ["0", "99"]):
        assert recognise(names).verdict == Verdict.no_numbers


def test_numbers_of_both_systems_decide_nothing() -> None:
    found = recognise(["crown", *map(str, [*range(11, 19), *range(21, 29), 31, 32])])
    assert (found.verdict, found.numbering) == (Verdict.ambiguous, None)
    assert found.reason == "'11' is a number of fdi and of universal, as all others"


def test_names_that_no_system_fits_are_contradictory() -> None:
    found = recognise(["9", "12", "48"])
    assert (found.verdict, found.numbering) == (Verdict.contradictory, None)
    assert found.reason == "'9' is a number of universal, '48' is a number of fdi"
    assert recognise(["UR1", "48"]).verdict == Verdict.contradictory
    assert recognise(map(str, range(1, 53))).verdict == Verdict.contradictory
