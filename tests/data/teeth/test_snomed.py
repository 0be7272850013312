"""SNOMED CT codes of teeth, with the context groups of DICOM in pydicom as oracle."""

from __future__ import annotations

import pytest

from dentasam.data.teeth.snomed import code_of, number_of
from dentasam.model.chart.dentition import NUMBERS

# As pydicom 2.4.5 has them in CID 4018 and 4019.
OLDER = {"11": "22120004", "16": "5140004", "23": "72876007", "31": "113278005", "48": "38994002", "84": "245631005"}
# For 11, 12, … of each quadrant: the words of the meaning behind the jaw and the side.
PERMANENT = (
    "central incisor|lateral incisor|canine|first premolar|second premolar|first molar|second molar|third molar"
)
DECIDUOUS = "central incisor|lateral incisor|canine|first molar|second molar"


def meaning(number: str) -> str:
    """The meaning by which CID 4018 and 4019 name a tooth. They name 32 `Mandibular left lateral tooth`."""
    quadrant, place = int(number[0]), int(number[1]) - 1
    jaw = "maxillary" if quadrant in (1, 2, 5, 6) else "mandibular"
    side = "right" if quadrant in (1, 4, 5, 8) else "left"
    dentition = "deciduous" if quadrant > 4 else "permanent" if jaw == "maxillary" else ""
    tooth = (DECIDUOUS if quadrant > 4 else PERMANENT).split("|")[place]
    words = [dentition, jaw, side, "lateral" if number == "32" else tooth, "tooth"]
    return " ".join(filter(None, words)).capitalize()


def test_the_codes_are_those_of_the_context_groups_and_of_the_right_tooth() -> None:
    groups = pytest.importorskip("pydicom.sr._cid_dict").cid_concepts
    concepts = pytest.importorskip("pydicom.sr._concepts_dict").concepts["SCT"]
    listed = {}
    for cid in (4018, 4019):
        for keyword in groups[cid]["SCT"]:
            for code, (text, cids) in concepts[keyword].items():
                if cid in cids:
                    listed[text] = code
    assert len(listed) == 52
    assert {n: tuple(code_of(n) or ()) for n in NUMBERS} == {n: (listed[meaning(n)], meaning(n)) for n in NUMBERS}


def test_each_code_is_read_again() -> None:
    for number in NUMBERS:
        coded = code_of(number)
        assert coded is not None
        assert number_of(coded.code) == number
        assert number_of(f"{coded.code} ") == number


def test_codes_of_earlier_editions_are_read() -> None:
    assert {number: number_of(code) for number, code in OLDER.items()} == {number: number for number in OLDER}
    from dentasam.data.teeth.snomed import _NUMBERS

    assert len(_NUMBERS) == 52 + 25


def test_other_names_and_codes_have_none() -> None:
    assert code_of("implant") is None
    assert code_of("19") is None
    assert number_of("91723000") is None
    assert number_of("") is None
