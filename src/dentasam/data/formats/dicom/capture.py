"""A radiograph that is not DICOM, as a Secondary Capture image, so that a segmentation has something to refer to.

PS3.3 A.8.1. What nobody knows of the image (the patient, dates, which side is which) stays empty. Its UIDs follow
from its pixels and its name: the same image has the same UIDs in every export.
"""

from __future__ import annotations

import hashlib
import uuid
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from dentasam.data.formats.dicom.codes import MANUFACTURER, label_of
from dentasam.version import __version__

# Of the UIDs that follow from content (PS3.5 B.2: a UUID after the root 2.25).
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/dentasam/dentasam")
_EMPTY = (
    *("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber"),
    *("ReferringPhysicianName", "PatientOrientation"),
)


def uid_from(*parts: str) -> UID:
    """The UID that follows from some texts; the same texts give the same UID."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, chr(0).join(parts)).int}")


def capture_uid(pixels: np.ndarray, name: str) -> UID:
    """The SOP Instance UID of the capture of an image (H, W) uint8 or uint16; name: its file's without suffix."""
    return uid_from("image", _digest(pixels), name)


def capture_header(pixels: np.ndarray, name: str) -> Dataset:
    """The capture of an image (H, W) uint8 or uint16, without its pixels."""
    digest, bits = _digest(pixels), 8 * pixels.dtype.itemsize
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = capture_uid(pixels, name)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = (
        uid_from("study", digest, name),
        uid_from("series", digest, name),
    )
    for keyword in _EMPTY:
        setattr(dataset, keyword, None)
    # Archives join images of equal patient ids, so each unknown patient has one of its own.
    dataset.PatientID = f"image-{digest[:16]}"
    dataset.StudyDescription = dataset.SeriesDescription = label_of(name)
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", 1, 1
    dataset.Modality, dataset.ConversionType = "PX", "WSD"
    dataset.BodyPartExamined = "JAW"
    dataset.Manufacturer = dataset.SecondaryCaptureDeviceManufacturer = MANUFACTURER
    dataset.SecondaryCaptureDeviceSoftwareVersions = __version__
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits, bits - 1, 0
    if bits == 16:
        # Without a window the values would be spread over their range (`images.dicom.gray_levels.windowing`).
        dataset.WindowCenter, dataset.WindowWidth = 32768, 65536
    return dataset


def written_files(export: Path) -> list[Path]:
    """The files of an export as `dicom-seg` that no archive has yet: captures of images, then all segmentations."""
    captures = [path for path in sorted((export / "images").rglob("*.dcm")) if _is_capture(path)]
    return captures + sorted((export / "segmentations").rglob("*.dcm"))


def _is_capture(path: Path) -> bool:
    header = pydicom.dcmread(path, specific_tags=["SOPClassUID", "Manufacturer"], stop_before_pixels=True)
    return header.get("SOPClassUID") == SecondaryCaptureImageStorage and header.get("Manufacturer") == MANUFACTURER


def capture_bytes(pixels: np.ndarray, name: str) -> bytes:
    """The file of the capture of an image (H, W) uint8 or uint16; its pixels are not changed."""
    dataset = capture_header(pixels, name)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _digest(pixels: np.ndarray) -> str:
    shape = f"{pixels.shape[0]}x{pixels.shape[1]} {pixels.dtype.itemsize}\n".encode()
    little = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<")))
    return hashlib.sha256(shape + little.tobytes()).hexdigest()
