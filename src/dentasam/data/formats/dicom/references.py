"""The image that a segmentation refers to: as a header for the writer, and by its SOP Instance UID for the reader."""

from __future__ import annotations

import re
import warnings
from pathlib import Path, PurePosixPath

import pydicom

from dentasam.data.formats.dicom.capture import capture_uid
from dentasam.data.formats.dicom.glance import is_segmentation
from dentasam.data.formats.dicom.plane import Plane, plane_of
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages
from dentasam.data.images.dicom.detect import looks_like_dicom
from dentasam.data.images.dicom.file import open_dicom
from dentasam.data.images.read import read_image
from dentasam.data.record import ImageRecord
from dentasam.data.spelling import canonical
from dentasam.errors import DatasetError, ImageError

# Without these a segmentation cannot refer to a file.
NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
# Where the image lies in space (`plane`), and what is stored for single frames.
_LEFT_OUT = {
    *("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PositionReferenceIndicator"),
    *("NumberOfFrames", "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"),
    *("DimensionOrganizationSequence", "DimensionIndexSequence", "SpecimenDescriptionSequence"),
}
_PIXEL_GROUPS = range(0x0028, 0x0029)
_EXPECTED = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate"),
    *("StudyTime", "ReferringPhysicianName"),
)
_VALID = {
    "PatientSex": re.compile("[MFO]"),
    "StudyDate": re.compile(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"),
    "PatientBirthDate": re.compile(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"),
    "StudyTime": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?"),
}


def can_be_referred_to(path: Path) -> bool:
    """Whether an image is a DICOM file with the UIDs by which a segmentation refers to it. Raises ImageError."""
    if not looks_like_dicom(path):
        return False
    header = _header(path)
    return all(_uid(header, keyword) for keyword in NEEDED)


def referred_header(image: ImageRecord) -> tuple[pydicom.Dataset, Plane]:
    """What a segmentation copies from a DICOM image and refers to, and the plane in which it lies.

    Raises ImageError where the file cannot be read, DatasetError where its size is not the dataset's.
    """
    header = _header(image.path)
    if (header.get("Rows"), header.get("Columns")) != (image.height, image.width):
        raise DatasetError(
            f"{image.path} has {header.get('Columns')}x{header.get('Rows')} pixels, the dataset says "
            f"{image.width}x{image.height}; annotate this file, or name the folder of the right one with --images"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The plane comes first, since its numbers are read from the bytes of elements that are not yet parsed.
        plane = plane_of(header)
        return _plain(header), plane


class ReferredImages:
    """The images of a source by their SOP Instance UIDs, each header read once."""

    def __init__(self, images: SourceImages) -> None:
        self.place = images.place
        self._others: list[SourceImage] = []
        self._by_uid: dict[str, list[SourceImage]] = {}
        self.all = [image for image in images.all() if not is_segmentation(image.path)]
        for image in self.all:
            uid = self._uid_of(image)
            if uid:
                self._by_uid.setdefault(uid, []).append(image)
            else:
                self._others.append(image)

    def find(self, uid: str, segmentation: Path, name: str) -> SourceImage:
        """The image with a UID. segmentation: the file that refers to it; name: its path without suffix.

        Where it is the UID of a capture of our own making, the PNG, JPEG or TIFF file of which that was made serves
        as well. Raises ImageNotFound where there is no such image, or several.
        """
        found = self._by_uid.get(uid, [])
        if len(found) > 1:
            found = [image for image in found if _stem(image.name) == _stem(f"{name}.dcm")] or found
        if not found:
            stem = PurePosixPath(name).name
            alike = (image for image in self._others if stem in (_stem(image.name), PurePosixPath(image.name).name))
            found = [image for image in alike if _is_captured(image, stem, uid)]
        if len(found) == 1:
            return found[0]
        if found:
            several = " and ".join(image.name for image in found[:2])
            raise ImageNotFound(f"{segmentation}: its image may be {several}, which have one UID; remove one of them")
        raise ImageNotFound(
            f"{segmentation}: its image (SOP Instance UID {uid[:64]}) is not in {self.place}; "
            "put the DICOM file there, or name its folder with --images"
        )

    def _uid_of(self, image: SourceImage) -> str:
        if not looks_like_dicom(image.path):
            return ""
        try:
            return _uid(_header(image.path), "SOPInstanceUID")
        except ImageError:
            # An image that nothing refers to may be damaged.
            return ""


def _header(path: Path) -> pydicom.Dataset:
    try:
        # pydicom warns of every odd value of a header.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return open_dicom(path, pixels=False).dataset
    except ImageError:
        raise
    except Exception as error:
        # A crafted or cut file makes pydicom raise almost any exception.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path} is damaged or truncated DICOM ({reason:.200}); export it again") from None


def _uid(header: pydicom.Dataset, keyword: str) -> str:
    return str(header.get(keyword) or "").strip("\0 ")


def _plain(header: pydicom.Dataset) -> pydicom.Dataset:
    """The header without pixels, geometry and private elements; what is missing or malformed is empty."""
    plain = pydicom.Dataset()
    plain.SpecificCharacterSet = "ISO_IR 192"
    for known in list(header.keys()):
        if known.is_private or known.group in _PIXEL_GROUPS or known.group >= 0x5000:
            continue
        try:
            element = header[known]
        except Exception:  # pydicom raises many kinds for malformed values
            continue
        if element.keyword and element.keyword not in _LEFT_OUT and element.keyword != "SpecificCharacterSet":
            plain[known] = element
    plain.Rows, plain.Columns = header.Rows, header.Columns
    for keyword in _EXPECTED:
        if keyword not in plain:
            setattr(plain, keyword, None)
        valid = _VALID.get(keyword)
        if valid is not None and not valid.fullmatch(str(plain.get(keyword) or "")):
            setattr(plain, keyword, None)
    for keyword in ("Modality", "PatientOrientation"):
        if keyword not in plain:
            setattr(plain, keyword, "OT" if keyword == "Modality" else None)
    return plain


def _is_captured(image: SourceImage, stem: str, uid: str) -> bool:
    try:
        return str(capture_uid(read_image(image.path), stem)) == uid
    except ImageError:
        return False


def _stem(name: str) -> str:
    return PurePosixPath(canonical(name)).stem
