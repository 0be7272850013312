"""The last search: what it finds, in which encodings, and what it must not take for a find."""

import pytest

from dentasam.data.deidentify.identifiers import Identifiers
from dentasam.data.deidentify.search import held_value


def known(**values: tuple[str, str]) -> Identifiers:
    identifiers = Identifiers()
    for keyword, (vr, value) in values.items():
        identifiers.add(keyword, vr, [value])
    return identifiers


NAME = known(PatientName=("PN", "Bärenklau^Jürgen=熊^太郎"))


@pytest.mark.parametrize("text", ["Bärenklau", "BÄRENKLAU", "barenklau", "Baerenklau", "jürgen"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16-le", "utf-16-be", "cp1252", "cp850"])
def test_found_in_every_encoding(text: str, encoding: str) -> None:
    content = b"\0\1" * 50 + text.encode(encoding) + b"\0\2" * 50
    assert held_value(content, b"", NAME, set()) == "PatientName"
    assert held_value(b"\0\1" * 50 + b"\0\2" * 50, b"", NAME, set()) is None


@pytest.mark.parametrize("encoding", ["utf-8", "shift_jis", "gb18030", "utf-16-le"])
def test_found_in_other_scripts(encoding: str) -> None:
    assert held_value(b"\0" + "太郎".encode(encoding) + b"\0", b"", NAME, set()) == "PatientName"


def test_bytes_as_the_source_holds_them() -> None:
    identifiers = Identifiers()
    identifiers.add("PatientName", "PN", ["?"], b"M\x81ller-X^\x1b$B;3")
    assert held_value(b"..m\x81LLER-x..", b"", identifiers, set()) == "PatientName"


@pytest.mark.parametrize("text", ["20210612", "2021-06-12", "12.06.2021", "06/12/2021", "20210612101500"])
def test_dates_as_people_write_them(text: str) -> None:
    assert held_value(f"taken {text}".encode(), b"", known(StudyDate=("DA", "20210612")), set()) == "StudyDate"


def test_short_values_count_as_words_and_short_numbers_not_at_all() -> None:
    identifiers = known(PatientName=("PN", "Kohl^Ed"), PatientID=("LO", "4711"), AccessionNumber=("SH", "654321"))
    assert held_value(b"\0Kohl\0", b"", identifiers, set()) == "PatientName"
    assert held_value(b"\0Kohlrabi\0", b"", identifiers, set()) is None
    assert held_value(b"Ed \0 4711", b"", identifiers, set()) is None
    assert held_value(b"\x00654321 ", b"", identifiers, set()) == "AccessionNumber"
    assert held_value(b"0.654321", b"", identifiers, set()) is None


def test_new_texts_do_not_count() -> None:
    identifiers = known(PatientID=("LO", "654321"), StudyDate=("DA", "20210612"))
    made = {"2.25.12.654321", "20210612"}
    assert held_value(b"2.25.12.654321\0", b"", identifiers, made) is None
    assert held_value(b"2.25.12.654321\0 654321", b"", identifiers, made) == "PatientID"


def test_only_long_values_count_among_pixels() -> None:
    identifiers = known(PatientName=("PN", "Kohl^Bartholomaeus"))
    assert held_value(b"head Kohl tail", b"Kohl", identifiers, set()) is None
    assert held_value(b"head Bartholomaeus tail", b"Bartholomaeus", identifiers, set()) == "PatientName"
    assert held_value(b"head Bartholomaeus tail", b"head", identifiers, set()) == "PatientName"


def test_kept_texts_are_judged_by_words() -> None:
    identifiers = known(PatientName=("PN", "Li^Jo"), PatientID=("LO", "12"))
    assert identifiers.found_in_text("scan of li, jo") == "PatientName"
    assert identifiers.found_in_text("Linear 3.12") is None
    assert identifiers.found_in_text("12") == "PatientID"
    # A view is LI for another reason.
    assert identifiers.found_in_text("LI", coded=True) is None


def test_counters_descriptions_and_codes_are_no_identifiers() -> None:
    identifiers = known(
        SeriesNumber=("IS", "654321"), CodeValue=("SH", "T-D1213"), BodyPartExamined=("CS", "JAWREGION"),
        StudyDescription=("LO", "PANORAMIC"), ProtocolName=("LO", "Adult large"),
    )  # fmt: skip
    assert identifiers.words == {}
