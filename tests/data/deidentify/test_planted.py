"""Nothing of what is planted in a DICOM file is found in the output, and what imaging needs is as before."""

import csv
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dentasam.data.deidentify.run import Outcome, deidentify
from dentasam.data.images.read import read_header, read_image

from .planted import BORN, IMAGE_UID, SECRETS, STUDY_DAY, bytes_under, found, planted_file

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "Quastenflosser Wilhelmine"
    folder.mkdir()
    planted_file(folder / "QX-4711-0815.dcm")
    return folder


def run(source: Path, tmp_path: Path, name: str = "out") -> tuple[Outcome, Path]:
    outcome = deidentify(source, tmp_path / name)
    assert outcome.failed == []
    return outcome, tmp_path / name


def only_file(out: Path) -> Path:
    (path,) = out.rglob("*.dcm")
    return path


def test_the_source_holds_all_of_it(source: Path) -> None:
    assert set(found(bytes_under(source))) == set(SECRETS)


def test_nothing_planted_is_in_the_output(source: Path, tmp_path: Path) -> None:
    _, out = run(source, tmp_path)
    assert found(bytes_under(out)) == []


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: UID(syntax).keyword)
def test_every_encoding(tmp_path: Path, syntax: UID) -> None:
    path = planted_file(tmp_path / "x.dcm", syntax=syntax)
    _, out = run(path, tmp_path)
    written = pydicom.dcmread(only_file(out))
    # Unpacked, or the search would not see what is in a deflated file.
    kept = syntax if syntax != DeflatedExplicitVRLittleEndian else ExplicitVRLittleEndian
    assert written.file_meta.TransferSyntaxUID == kept
    np.testing.assert_array_equal(read_image(only_file(out)), read_image(path))
    for element in written.iterall():
        assert found(str(element.value).encode()) == []


def test_what_imaging_needs_stays(source: Path, tmp_path: Path) -> None:
    _, out = run(source, tmp_path)
    before, after = pydicom.dcmread(source / "QX-4711-0815.dcm"), pydicom.dcmread(only_file(out))
    for keyword in (
        *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"),
        *("PhotometricInterpretation", "PixelSpacing", "WindowCenter", "WindowWidth", "PatientOrientation"),
        *("Modality", "BodyPartExamined", "Manufacturer", "ManufacturerModelName", "SOPClassUID", "PixelData"),
    ):
        assert after[keyword].value == before[keyword].value, keyword
    assert read_header(only_file(out)).mm_per_pixel == 0.1


def test_profile_and_options_are_stated(source: Path, tmp_path: Path) -> None:
    """PS3.15 E.1.1, with the codes of PS3.16 CID 7050."""
    _, out = run(source, tmp_path)
    written = pydicom.dcmread(only_file(out))
    assert written.PatientIdentityRemoved == "YES"
    assert written.LongitudinalTemporalInformationModified == "MODIFIED"
    assert "dentasam" in written.DeidentificationMethod
    codes = [(item.CodeValue, item.CodingSchemeDesignator) for item in written.DeidentificationMethodCodeSequence]
    assert codes == [("113100", "DCM"), ("113107", "DCM")]
    assert "BurnedInAnnotation" not in written


def test_profile_facts(source: Path, tmp_path: Path) -> None:
    """Some lines of PS3.15 table E.1-1: Z is empty, X is gone, U is another UID, and the file meta follows."""
    _, out = run(source, tmp_path)
    written = pydicom.dcmread(only_file(out))
    assert written.PatientName == written.PatientID != ""
    for keyword in ("PatientBirthDate", "PatientSex", "AccessionNumber", "ReferringPhysicianName", "StudyID"):
        assert written[keyword].is_empty, keyword
    for keyword in ("PatientAge", "PatientAddress", "InstitutionAddress", "ImageComments", "StudyDescription"):
        assert keyword not in written, keyword
    assert written.SOPInstanceUID == written.file_meta.MediaStorageSOPInstanceUID != IMAGE_UID
    assert written.SOPInstanceUID.startswith("2.25.")
    assert written.SOPInstanceUID.is_valid
    assert written.SourceImageSequence[0].ReferencedSOPInstanceUID == written.SOPInstanceUID
    assert written.preamble == bytes(128)
    assert not [tag for tag in set(written.keys()) if tag.is_private or 0x5000 <= tag.group < 0x6100]


def test_kept_texts_that_repeat_the_patient_are_emptied(source: Path, tmp_path: Path) -> None:
    _, out = run(source, tmp_path)
    written = pydicom.dcmread(only_file(out))
    assert written.SoftwareVersions == written.FilterType == ""
    assert written.AnatomicRegionSequence[0].CodeMeaning == ""
    assert written.Manufacturer == "Roentgenwerk"
    assert list(written.ImageType) == ["ORIGINAL", "PRIMARY", ""]


def test_report_lists_every_tag_touched(source: Path, tmp_path: Path) -> None:
    outcome, out = run(source, tmp_path)
    rows = list(csv.DictReader(outcome.report.open(encoding="utf-8")))
    assert {row["file"] for row in rows} == {only_file(out).relative_to(out).as_posix()}
    listed = {row["tag"]: row for row in rows}
    before, after = pydicom.dcmread(source / "QX-4711-0815.dcm"), pydicom.dcmread(only_file(out))
    changed = {
        f"({tag.group:04X},{tag.element:04X})"
        for tag in {*before.keys(), *after.keys()}
        if tag not in before or tag not in after or before[tag].value != after[tag].value
    } - {"(0008,2218)", "(0008,2112)"}  # sequences that are kept; their items are listed
    assert changed <= set(listed)
    assert listed["(0008,2218)[0].(0008,0104)"]["name"] == "CodeMeaning"
    assert listed["(0008,2112)[0].(0008,1155)"]["action"] == "UID replaced"
    assert listed["(0009,1002)"]["name"] == "private"
    assert listed["(0010,0030)"]["action"] == "emptied"
    assert found(outcome.report.read_bytes()) == []


def test_dates_keep_their_intervals(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, day in enumerate(("20210612", "20210712", "20240229")):
        planted_file(folder / f"{number}.dcm", StudyDate=day, SOPInstanceUID=f"1.2.3.{number}")
    planted_file(folder / "other.dcm", PatientID="another", StudyDate="20210612", SOPInstanceUID="1.2.3.9")
    _, out = run(folder, tmp_path)
    days: dict[str, list[date]] = {}
    for path in sorted(out.rglob("*.dcm")):
        written = pydicom.dcmread(path)
        days.setdefault(written.PatientID, []).append(date.fromisoformat(written.StudyDate))
        assert written.AcquisitionDateTime[:8].isdigit()
        assert len(written.AcquisitionDateTime) == 8
    assert sorted(map(len, days.values())) == [1, 3]
    same = sorted(next(each for each in days.values() if len(each) == 3))
    assert [(after - same[0]).days for after in same] == [0, 30, 992]
    assert same[0] < date(2021, 6, 12)
    assert all(day.strftime("%Y%m%d") not in (STUDY_DAY, BORN) for each in days.values() for day in each)


@pytest.mark.parametrize("charset", ["", "ISO_IR 100", "ISO_IR 192", "ISO 2022 IR 87", "nonsense"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_names_in_a_character_set_that_is_not_the_stated_one(tmp_path: Path, charset: str, encoding: str) -> None:
    name = "Bärenklau^Jürgen".encode(encoding)
    path = planted_file(
        tmp_path / "x.dcm",
        PatientName=("PN", name + b" " * (len(name) % 2)),
        SpecificCharacterSet=("CS", charset.encode().ljust(len(charset) + len(charset) % 2)),
        DetectorID=("SH", "Jürgen".encode(encoding).ljust(8)),
        ProtocolName=("LO", "für Bärenklau".encode(encoding).ljust(16)),
        ManufacturerModelName=("LO", "für BÄRENKLAU".encode(encoding).ljust(16)),
    )
    outcome = deidentify(path, tmp_path / "out")
    content = bytes_under(tmp_path / "out").lower()
    for part in ("bärenklau", "jürgen", "renklau", "rgen"):
        assert part.encode(encoding) not in content
    assert len(outcome.delivered) == 1


def test_rle_is_kept(tmp_path: Path) -> None:
    path = planted_file(tmp_path / "x.dcm")
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path)
    _, out = run(path, tmp_path)
    assert pydicom.dcmread(only_file(out)).file_meta.TransferSyntaxUID == RLELossless
    np.testing.assert_array_equal(read_image(only_file(out)), read_image(path))
    assert found(bytes_under(out)) == []


def test_text_in_place_of_a_number_goes_and_an_odd_number_stays(tmp_path: Path) -> None:
    path = planted_file(
        tmp_path / "x.dcm",
        SeriesNumber=("IS", b"MARZIPAN"),
        AcquisitionNumber=("SH", b"MARZIPAN"),
        ExposuresOnPlate=("LO", b"MARZIPAN"),
        SamplesPerPixelUsed=("IS", b"1 "),
        KVP=("DS", b"70,5"),
        WindowCenter=("DS", b"2000\\1000 "),
    )
    _, out = run(path, tmp_path)
    content = only_file(out).read_bytes()
    assert b"MARZIPAN" not in content
    assert b"70,5" in content
    np.testing.assert_array_equal(read_image(only_file(out)), read_image(path))
