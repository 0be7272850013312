"""The plane in space in which a segmentation says that its image lies.

A projection has no such plane, and DICOM asks for none (PS3.3 A.51). The readers of 3D Slicer (dcmqi) and OHIF
(Cornerstone3D) refuse a segmentation without one, so every segmentation gets the plane in which these viewers show an
image that states none: its first pixel at the origin, rows along x, columns along y. It is nominal. Positions in it
are places in the picture, not in the patient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pydicom
from pydicom.uid import UID
from pydicom.valuerep import DSfloat

from dentasam.data.formats.dicom.capture import uid_from
from dentasam.data.images.dicom.elements import Elements

# Computed Radiography; the UIDs of Digital X-Ray classes, intra-oral ones among them, begin with it (PS3.4 B.5).
_RADIOGRAPHY = "1.2.840.10008.5.1.4.1.1.1"
# How far from 1 the length of an axis, and from 0 the product of two, may be.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Plane:
    """position: of the first pixel's centre, in mm. orientation: the directions of rows and columns. spacing: between
    rows and between columns, in mm. frame_of_reference: its UID, empty where the image does not state one.
    """

    position: tuple[float, ...] = (0.0, 0.0, 0.0)
    orientation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    spacing: tuple[float, ...] = (1.0, 1.0)
    frame_of_reference: str = ""


def plane_of(header: pydicom.Dataset) -> Plane:
    """The plane that an image's header states, the nominal one where it states none."""
    elements = Elements(header, lambda line: None)
    spacing = _spacing(elements)
    position = _numbers(elements, "ImagePositionPatient", 3)
    orientation = _numbers(elements, "ImageOrientationPatient", 6)
    if not position or not _is_orthonormal(orientation):
        return Plane(spacing=spacing)
    uid = UID(elements.text("FrameOfReferenceUID"))
    return Plane(position, orientation, spacing, uid if uid.is_valid else "")


def add_plane(segmentation: pydicom.Dataset, plane: Plane) -> None:
    """Adds a plane to a segmentation of one image.

    highdicom takes a plane only for images with a frame of reference, which projections do not have, and then orders
    frames by their positions. Hence it is added to what highdicom makes without a plane.
    """
    source = str(segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID)
    # All segmentations of one image lie in one frame of reference.
    segmentation.FrameOfReferenceUID = plane.frame_of_reference or uid_from("frame of reference", source)
    segmentation.PositionReferenceIndicator = None
    orientation, measures = pydicom.Dataset(), pydicom.Dataset()
    orientation.ImageOrientationPatient = _decimals(plane.orientation)
    measures.PixelSpacing = _decimals(plane.spacing)
    # Readers build volumes, in which an image is one slice.
    measures.SliceThickness = measures.SpacingBetweenSlices = DSfloat(1)
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        position = pydicom.Dataset()
        position.ImagePositionPatient = _decimals(plane.position)
        group.PlanePositionSequence = [position]


def _spacing(elements: Elements) -> tuple[float, ...]:
    """The spacing that ITK, with which 3D Slicer and others read images, gives to the image; with another one, the
    segmentation would not lie over it. ITK takes that at the detector for a radiograph, and 1 mm without it.
    """
    radiograph = f"{elements.text('SOPClassUID')}.".startswith(f"{_RADIOGRAPHY}.")
    for keyword in ("ImagerPixelSpacing",) if radiograph else ("PixelSpacing", "NominalScannedPixelSpacing"):
        values = _numbers(elements, keyword, 2)
        if values and min(values) > 0:
            return values
    return Plane.spacing


def _numbers(elements: Elements, keyword: str, count: int) -> tuple[float, ...]:
    """An element's values; () where these are not `count` numbers."""
    stated = elements.numbers(keyword)
    values = tuple(value for value in stated if value is not None and math.isfinite(value))
    return values if len(values) == len(stated) == count else ()


def _is_orthonormal(axes: tuple[float, ...]) -> bool:
    if not axes:
        return False
    rows, columns = axes[:3], axes[3:]
    product = sum(first * second for first, second in zip(rows, columns, strict=True))
    deviations = (product, math.hypot(*rows) - 1, math.hypot(*columns) - 1)
    return all(abs(deviation) <= _TOLERANCE for deviation in deviations)


def _decimals(values: tuple[float, ...]) -> list[DSfloat]:
    return [DSfloat(value, auto_format=True) for value in values]
