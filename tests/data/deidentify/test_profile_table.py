"""Every tag of the profile's table, against what dicom-anonymizer itself makes of the same data set."""

import warnings
from typing import Any

import pytest
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from dentasam.data.deidentify.keyed_map import KeyedMap
from dentasam.data.deidentify.profile import Profile
from dentasam.data.deidentify.rules import EDITION

library = pytest.importorskip("dicomanonymizer.simpledicomanonymizer")
SECRET_UID = "1.3.6.1.4.1.99999.8"
VALUES: dict[str, Any] = {
    **dict.fromkeys(("LO", "SH", "LT", "ST", "UT", "UC", "PN", "AE"), "Geheimnis"),
    "CS": "GEHEIM",
    "UR": "http://geheimnis",
    "UI": SECRET_UID,
    "DA": "20210612",
    "DT": "20210612101112",
    "TM": "101112",
    "AS": "084Y",
    "DS": "81.5",
    "IS": "815",
    "US": 815,
    "OB": b"Geheimnis ",
    "UN": b"Geheimnis ",
}
ACTIONS = library.initialize_actions(EDITION)
TAGS = sorted(
    Tag(tag)
    for tag in ACTIONS
    if len(tag) == 2 and dictionary_has_tag(Tag(tag)) and tag[0] != 2 and dictionary_VR(Tag(tag)) in (*VALUES, "SQ")
)
PERSONAL = ("PatientBirthDate", "PatientBirthDateInAlternativeCalendar", "LastMenstrualDate")


def element(tag: Any) -> DataElement:
    vr = dictionary_VR(tag)
    if vr != "SQ":
        return DataElement(tag, vr, VALUES[vr])
    item = Dataset()
    item.PatientComments, item.ReferencedSOPInstanceUID = "Geheimnis", SECRET_UID
    return DataElement(tag, "SQ", Sequence([item]))


def everything() -> Dataset:
    dataset = Dataset()
    for tag in TAGS:
        dataset.add(element(tag))
    return dataset


@pytest.fixture(scope="module")
def ours() -> Dataset:
    dataset = everything()
    # The same below a sequence that the table does not name.
    dataset.AnatomicRegionSequence = Sequence([everything()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Profile(KeyedMap(bytes(32)), "P0", 400).apply(dataset)
    return dataset


@pytest.fixture(scope="module")
def theirs() -> Dataset:
    dataset = everything()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library.anonymize_dataset(dataset, base_rules_gen=lambda: library.initialize_actions(EDITION))
    return dataset


def test_the_table_is_there() -> None:
    assert len(TAGS) > 580


def test_no_value_stays_that_the_library_changes(ours: Dataset, theirs: Dataset) -> None:
    for level in (ours, ours.AnatomicRegionSequence[0]):
        for tag in TAGS:
            before = element(tag)
            assert tag not in theirs or theirs[tag].value != before.value, keyword_for_tag(tag)
            assert tag not in level or level[tag].value != before.value, keyword_for_tag(tag)
        assert "Geheimnis" not in str(level)
        assert SECRET_UID not in str(level)


def test_what_the_library_deletes_is_gone_but_for_dates_that_move(ours: Dataset, theirs: Dataset) -> None:
    for tag in TAGS:
        if tag in theirs or dictionary_VR(tag) in ("DA", "DT"):
            continue
        assert tag not in ours, keyword_for_tag(tag)


def test_what_the_library_keeps_in_another_form_is_still_there(ours: Dataset, theirs: Dataset) -> None:
    """Types 1 and 2 need the element: X/Z, Z, D and U leave one."""
    for tag in TAGS:
        if tag in theirs and keyword_for_tag(tag) not in PERSONAL:
            assert tag in ours, keyword_for_tag(tag)


def test_dates_move_alike_at_every_level(ours: Dataset) -> None:
    moved = 0
    for level in (ours, ours.AnatomicRegionSequence[0]):
        for tag in TAGS:
            if dictionary_VR(tag) in ("DA", "DT") and keyword_for_tag(tag) not in PERSONAL:
                # 2021-06-12 less 400 days, by another calendar than the program's.
                assert level[tag].value == "20200508", keyword_for_tag(tag)
                moved += 1
    assert moved > 200
    assert ours.PatientBirthDate == ""


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        # PS3.15 2024b, table E.1-1, column Basic Prof.
        *((keyword, "gone") for keyword in ("PatientAge", "PatientWeight", "EthnicGroup", "PatientMotherBirthName")),
        *((keyword, "gone") for keyword in ("IconImageSequence", "ImageComments", "OriginalAttributesSequence")),
        *(
            (keyword, "gone")
            for keyword in ("RequestAttributesSequence", "StudyDescription", "TimezoneOffsetFromUTC")
        ),
        *((keyword, "empty") for keyword in ("AccessionNumber", "PatientSex", "ReferringPhysicianName", "StudyTime")),
        *((keyword, "dummy") for keyword in ("ContentCreatorName", "VerifyingOrganization", "DeviceSerialNumber")),
        *((keyword, "uid") for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "DeviceUID")),
    ],
)
def test_facts_of_the_standard(ours: Dataset, keyword: str, expected: str) -> None:
    if expected == "gone":
        assert keyword not in ours
    elif expected == "empty":
        assert ours[keyword].is_empty
    elif expected == "dummy":
        assert ours[keyword].value == "ANONYMIZED"
    else:
        assert ours[keyword].value == KeyedMap(bytes(32)).uid(SECRET_UID)
