"""De-identifying one DICOM radiograph: header, pixels and method codes, then the checks before it is delivered."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, SecondaryCaptureImageStorage

from dentasam.data.deidentify.identifiers import Identifiers
from dentasam.data.deidentify.keyed_map import KeyedMap
from dentasam.data.deidentify.pixels import blank, clean, syntax_to_write
from dentasam.data.deidentify.profile import Profile, content_of, encodings_of
from dentasam.data.deidentify.report import Touch
from dentasam.data.deidentify.rules import Action
from dentasam.data.images.dicom.elements import Elements
from dentasam.data.images.dicom.file import open_dicom
from dentasam.data.images.dicom.layout import layout_of
from dentasam.data.notices import collected_notices
from dentasam.version import __version__

# PS3.16 CID 7050.
PROFILE = ("113100", "Basic Application Confidentiality Profile")
MODIFIED_DATES = ("113107", "Retain Longitudinal Temporal Information Modified Dates Option")
CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")
METHOD = f"dentasam {__version__}: PS3.15 basic profile by dicom-anonymizer"
IMPLEMENTATION = "DENTASAM"


@dataclass(frozen=True)
class Written:
    """touched: what was done. says_burned_in: whether the source says that text is in the picture, none blanked."""

    touched: list[Touch]
    identifiers: Identifiers
    made: set[str]
    pixel_bytes: bytes
    says_burned_in: bool


def write_deidentified(path: Path, draft: Path, name: str, keyed: KeyedMap, region: np.ndarray | None) -> Written:
    """Writes a de-identified copy of a DICOM file to `draft`.

    name: the file's path inside the source, for a patient or an image that the header does not name. region: pixels
    to blank, (H, W) bool. Raises ImageError where the file is not DICOM that is read.
    """
    with warnings.catch_warnings(), collected_notices():
        # pydicom warns of every odd value, and would print it.
        warnings.simplefilter("ignore")
        file = open_dicom(path, pixels=True)
        dataset = file.dataset
        elements = Elements(dataset, lambda line: None)
        layout = layout_of(path, elements)
        says_burned_in = elements.text("BurnedInAnnotation") == "YES" and region is None
        unpacked = False
        extra: list[Touch] = []
        if region is not None:
            unpacked = blank(path, file, elements, layout, region)
            extra.append(_pixels(f"{int(region.sum())} pixels blanked", "clean pixel data"))
        else:
            extra += [_pixels(f"{found} removed", "not pixels") for found in clean(path, file, elements, layout)]
        pseudonym, days = keyed.patient(*_patient(dataset, name))
        profile = Profile(keyed, pseudonym, days)
        _take_meta(file.dataset, profile)
        profile.apply(dataset)
        extra += _state_method(dataset, pseudonym, blanked=region is not None)
        syntax = syntax_to_write(file, unpacked)
        _renew_meta(dataset, syntax, keyed, name)
        if not syntax.is_implicit_VR and any(element.VR is None for element in dataset.elements()):
            # The elements need the VRs that the file does not state, against its own transfer syntax.
            for _ in dataset.iterall():
                pass
            correct_ambiguous_vr(dataset, syntax.is_little_endian)
        pydicom.dcmwrite(draft, dataset, enforce_file_format=True)
        pixel_bytes, _, _ = elements.content("PixelData")
    touched = [*profile.touched, *extra]
    return Written(touched, profile.identifiers, _made(profile, dataset), pixel_bytes, says_burned_in)


def _pixels(action: str, rule: str) -> Touch:
    return Touch("(7FE0,0010)", "PixelData", "OW", action, rule)


def _patient(dataset: Dataset, name: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """What distinguishes the patient, and what the map shows of the patient."""
    keywords = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate")
    encodings = encodings_of(dataset)
    texts = {}
    for keyword in keywords:
        tag = pydicom.tag.Tag(keyword)
        texts[keyword] = "\\".join(content_of(dataset, tag, encodings)[1]) if tag in dataset else ""
    if texts["PatientID"].strip():
        return ("id", texts["PatientID"], texts["IssuerOfPatientID"]), texts
    if texts["PatientName"].strip(" ^="):
        return ("name", texts["PatientName"], texts["PatientBirthDate"]), texts
    # Nobody knows which files are of the same patient; the file stands for one.
    return ("file", name), texts


def _take_meta(dataset: Dataset, profile: Profile) -> None:
    """Takes the identifiers of the file meta information, which is written anew, and the UID that is only there."""
    meta = dataset.file_meta
    if meta.get("MediaStorageSOPInstanceUID") and not dataset.get("SOPInstanceUID"):
        dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    for tag in sorted(meta.keys()):
        vr, values, raw = content_of(meta, tag, ["utf-8"])
        if tag.group == 2 and vr in ("AE", "UR") and any(values):
            profile.identifiers.add(str(pydicom.datadict.keyword_for_tag(tag)), vr, values, raw)
        if tag == 0x00020003 and any(values):
            profile.identifiers.add("MediaStorageSOPInstanceUID", "UI", values, raw)
        if tag not in (0x00020000, 0x00020001, 0x00020002, 0x00020010):
            keyword = pydicom.datadict.keyword_for_tag(tag) or "unknown"
            action = Action.UID if tag == 0x00020003 else Action.REMOVE
            profile.touched.append(Touch(f"{tag}".replace(" ", ""), keyword, vr, action.value, "file meta"))


def _state_method(dataset: Dataset, pseudonym: str, blanked: bool) -> list[Touch]:
    """PS3.15 E.1.1: that, how and by which options the data set was de-identified."""
    codes = [PROFILE, MODIFIED_DATES, *([CLEAN_PIXELS] if blanked else [])]
    stated: dict[str, Any] = {
        "PatientIdentityRemoved": "YES",
        "DeidentificationMethod": METHOD[:64],
        "DeidentificationMethodCodeSequence": [_code(*code) for code in codes],
        "LongitudinalTemporalInformationModified": "MODIFIED",
    }
    stated |= {keyword: pseudonym for keyword in ("PatientName", "PatientID") if not dataset.get(keyword)}
    if blanked:
        kind = list(dataset.get("ImageType") or ["", "PRIMARY"])
        stated |= {"BurnedInAnnotation": "NO", "ImageType": ["DERIVED", *kind[1:]]}
    for keyword, value in stated.items():
        setattr(dataset, keyword, value)
    return [
        Touch(f"{dataset[keyword].tag}".replace(" ", ""), keyword, dataset[keyword].VR, Action.SET.value, "method")
        for keyword in stated
    ]


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _renew_meta(dataset: Dataset, syntax: UID, keyed: KeyedMap, name: str) -> None:
    """Preamble and file meta information from nothing: old ones may hold addresses and names of stations."""
    if not dataset.get("SOPInstanceUID"):
        dataset.SOPInstanceUID = keyed.uid(f"file {name}")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID") or SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.ImplementationVersionName = IMPLEMENTATION
    dataset.file_meta = meta
    dataset.preamble = bytes(128)


def _made(profile: Profile, dataset: Dataset) -> set[str]:
    """Every text that is new in the output."""
    texts = {METHOD, IMPLEMENTATION, str(PYDICOM_IMPLEMENTATION_UID), str(dataset.SOPInstanceUID)}
    return profile.made | texts | {text for code in (PROFILE, MODIFIED_DATES, CLEAN_PIXELS) for text in code}
