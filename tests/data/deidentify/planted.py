"""DICOM files with identifiers in every place that holds any, and the texts that nobody may find again."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from ..images.dicom.dicom_files import ramp, write_dicom

# Each is unlike anything else in a file; all are found by a plain search of the source.
NAME = "Quastenflosser^Wilhelmine"
PATIENT_ID = "QX-4711-0815"
UID_ROOT = "1.3.6.1.4.1.99999.4711"
STUDY_UID, SERIES_UID, IMAGE_UID = (f"{UID_ROOT}.{number}" for number in (1, 2, 3))
BORN, STUDY_DAY = "19370203", "20210612"
TEXTS = {
    "InstitutionName": "Zahnklinik Oberammerfluh",
    "InstitutionAddress": "Kirschgasse 77",
    "ReferringPhysicianName": "Brombeerstrauch^Adalbert",
    "OperatorsName": "Knoblauchzehe^Ottilie",
    "AccessionNumber": "ACC99887",
    "StudyID": "ST55443",
    "StationName": "ROENTGENKELLER",
    "DeviceSerialNumber": "SN-600613",
    "PatientAddress": "Ringelblumenweg 5",
    "PatientTelephoneNumbers": "0999-555123",
    "OtherPatientIDs": "ALT-778899",
    "PatientComments": "Nichte von Frau Quastenflosser, 1937-02-03",
    "ImageComments": "geboren 03.02.1937, siehe Akte QX-4711-0815",
    "StudyDescription": "OPG bei Quastenflosser",
    "PerformedProcedureStepID": "PPS332211",
    "RequestedProcedureID": "RP443322",
    "PatientBirthName": "Stachelrochen",
    "MilitaryRank": "Hauptmannsgattin",
    "Occupation": "Schleusenwaerterin",
}
SECRETS = (
    *("Quastenflosser", "Wilhelmine", PATIENT_ID, UID_ROOT, BORN, STUDY_DAY, "03.02.1937", "1937-02-03"),
    *(text for keyword, text in TEXTS.items() if not keyword.endswith("Name") or keyword in ("InstitutionName",)),
    *("Brombeerstrauch", "Adalbert", "Knoblauchzehe", "Ottilie", "Stachelrochen", "ROENTGENKELLER"),
)


def header(**changes: Any) -> dict[str, Any]:
    """Elements of a radiograph of the planted patient, by keyword."""
    return {
        "PatientName": NAME,
        "PatientID": PATIENT_ID,
        "PatientBirthDate": BORN,
        "PatientSex": "F",
        "PatientAge": "084Y",
        "StudyInstanceUID": STUDY_UID,
        "SeriesInstanceUID": SERIES_UID,
        "SOPInstanceUID": IMAGE_UID,
        "FrameOfReferenceUID": f"{UID_ROOT}.4",
        "StudyDate": STUDY_DAY,
        "AcquisitionDateTime": f"{STUDY_DAY}101112.5",
        "StudyTime": "101112",
        "Modality": "PX",
        "ImageType": ["ORIGINAL", "PRIMARY", "", "QUASTENFLOSSER"],
        "Manufacturer": "Roentgenwerk",
        "ManufacturerModelName": "Pano 3000",
        "BodyPartExamined": "JAW",
        "PixelSpacing": [0.1, 0.1],
        "WindowCenter": 2000,
        "WindowWidth": 3000,
        "PatientOrientation": ["L", "F"],
        **TEXTS,
        **changes,
    }


def planted_dataset(dataset: Dataset) -> None:
    """Adds sequences, private elements of every VR, overlays and curves that hold the patient's name or ID."""
    item, inner = Dataset(), Dataset()
    inner.PersonName, inner.PatientID, inner.ReferencedSOPInstanceUID = NAME, PATIENT_ID, IMAGE_UID
    inner.ScheduledProcedureStepStartDate = STUDY_DAY
    item.CodeMeaning, item.PersonIdentificationCodeSequence = "Wilhelmine", Sequence([inner])
    # A sequence that stays, with what does not.
    dataset.AnatomicRegionSequence = Sequence([item])
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = (
        UID("1.2.840.10008.5.1.4.1.1.1.1"),
        IMAGE_UID,
    )
    reference.PurposeOfReferenceCodeSequence = Sequence([Dataset()])
    dataset.SourceImageSequence = Sequence([reference])
    # Kept elements that repeat the patient.
    dataset.SoftwareVersions = f"1.0 of {PATIENT_ID}"
    dataset.FilterType = "Quastenflosser"
    dataset.DetectorDescription = "Detektor von Wilhelmine"
    # Text of every VR in private elements, and a sequence.
    block = dataset.private_block(0x0009, "QUASTENFLOSSER GMBH", create=True)
    texts = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
    for number, vr in enumerate(texts):
        block.add_new(number, vr, PATIENT_ID)
    block.add_new(0x20, "DA", BORN)
    block.add_new(0x21, "DT", f"{BORN}101112")
    block.add_new(0x22, "UI", STUDY_UID)
    for number, vr in enumerate(("OB", "UN", "OW"), start=0x30):
        block.add_new(number, vr, PATIENT_ID.encode())
    hidden = Dataset()
    hidden.PatientName = NAME
    block.add_new(0x40, "SQ", Sequence([hidden]))
    # Overlays (60xx) and curves (50xx); elements of an even group that no dictionary knows.
    dataset.add(DataElement(0x60000010, "US", 8))
    dataset.add(DataElement(0x60000011, "US", 8))
    dataset.add(DataElement(0x60000022, "LO", "Quastenflosser"))
    dataset.add(DataElement(0x60001500, "LO", "Wilhelmine"))
    dataset.add(DataElement(0x60003000, "OW", PATIENT_ID.encode()))
    dataset.add(DataElement(0x60023000, "OW", PATIENT_ID.encode()))
    dataset.add(DataElement(0x60024000, "LT", "Quastenflosser"))
    dataset.add(DataElement(0x50000022, "LO", "Wilhelmine"))
    dataset.add(DataElement(0x00180002, "LO", "Wilhelmine"))
    dataset.add(DataElement(0xFFFCFFFC, "OB", NAME.encode() + b" "))


def planted_file(path: Path, pixels: np.ndarray | None = None, **changes: Any) -> Path:
    """A file with all of it, and with the patient's name in preamble and file meta."""
    pytest.importorskip("dicomanonymizer")
    elements = header(**{key: value for key, value in changes.items() if key not in ("syntax", "frame")})
    options = {key: value for key, value in changes.items() if key in ("syntax", "frame")}
    write_dicom(path, ramp() if pixels is None else pixels, **options, **elements)
    dataset = pydicom.dcmread(path)
    planted_dataset(dataset)
    dataset.preamble = NAME.encode().ljust(128)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", IMAGE_UID)
    dataset.file_meta.SourceApplicationEntityTitle = "QUASTENFLOSSER"
    dataset.file_meta.PrivateInformationCreatorUID = UID(f"{UID_ROOT}.9")
    dataset.file_meta.PrivateInformation = NAME.encode() + b" "
    dataset.save_as(path)
    return path


def bytes_under(folder: Path) -> bytes:
    """Names and content of all files."""
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(path.relative_to(folder).as_posix().encode() + b"\n")
        if path.is_file():
            parts.append(path.read_bytes())
    return b"".join(parts)


def found(content: bytes) -> list[str]:
    """The planted texts that the bytes hold, in UTF-8 or UTF-16, in any case."""
    content = content.lower()
    texts = {text: [text.lower().encode(code) for code in ("utf-8", "utf-16-le")] for text in SECRETS}
    return [text for text, forms in texts.items() if any(form in content for form in forms)]
