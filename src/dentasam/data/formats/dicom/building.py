"""One DICOM segmentation of one image, made with highdicom.

All UIDs follow from the image's UID and the objects, so that an export of the same objects replaces the earlier one
in an archive. Dates are those of the export; where the environment has SOURCE_DATE_EPOCH (seconds since 1970), they
are that moment's, and the same dataset gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import highdicom
import numpy as np
import pydicom
from pydicom.sr.coding import Code
from pydicom.valuerep import DA, DT, TM

from dentasam.data.formats.dicom.capture import uid_from
from dentasam.data.formats.dicom.codes import MANUFACTURER, Concept, concepts_of, description_of, label_of
from dentasam.data.formats.dicom.plane import Plane, add_plane
from dentasam.data.record import ImageRecord, ObjectRecord
from dentasam.errors import DatasetError
from dentasam.version import __version__

SERIES_NUMBER = 100
MANUAL, SEMIAUTOMATIC, AUTOMATIC = "MANUAL", "SEMIAUTOMATIC", "AUTOMATIC"
# What the labelling tool calls the origin of an object that a model outlined and a person chose or accepted.
_ASSISTED = ("model", "proposal")
_ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")


def segmentation_bytes(
    image: ImageRecord,
    referred: pydicom.Dataset,
    plane: Plane,
    kinds: Mapping[str, str],
    numbers: Mapping[str, str],
) -> bytes:
    """The file of a segmentation with a segment for each object of an image, of which there is at least one.

    referred: the header of the image that it refers to (`references.referred_header`). plane: the one in which that
    lies. kinds: the supercategories of the categories. numbers: the FDI numbers of those that are teeth. Raises
    DatasetError for a mask that cannot be decoded, a category's name that is too long, and an image whose header
    cannot be referred to.
    """
    masks = np.zeros((1, image.height, image.width, len(image.objects)), np.uint8)
    for index, mask in enumerate(image.each_mask()):
        masks[0, ..., index] = mask
    try:
        dataset = _segmentation(image, referred, masks, kinds, numbers)
        add_plane(dataset, plane)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(
            f"{image.path}: no DICOM segmentation can be made ({reason:.200}); correct that, or export as coco"
        ) from None
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _segmentation(
    image: ImageRecord,
    referred: pydicom.Dataset,
    masks: np.ndarray,
    kinds: Mapping[str, str],
    numbers: Mapping[str, str],
) -> pydicom.Dataset:
    described = [
        _described(place, record, kinds.get(record.category, ""), numbers.get(record.category))
        for place, record in enumerate(image.objects, start=1)
    ]
    digest = _digest(image, masks)
    own = str(referred.SOPInstanceUID), digest
    dataset = highdicom.seg.Segmentation(
        [referred],
        masks,
        highdicom.seg.SegmentationTypeValues.BINARY,
        described,
        series_instance_uid=uid_from("segmentation series", *own),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_from("segmentation", *own),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=__version__,
        device_serial_number="1",
        omit_empty_frames=False,
        content_label="SEGMENTATION",
        content_description="Teeth and other structures",
        series_description="Segmentation",
    )
    dataset.SpecificCharacterSet = "ISO_IR 192"
    # PS3.3 C.7.6.1: without it, a projection's sides are unknown.
    dataset.PatientOrientation = referred.get("PatientOrientation")
    # PS3.3 10.9: empty where it is unknown, but not missing.
    dataset.ContentCreatorName = None
    # highdicom 0.28 starts each frame of fewer than 8 pixels at a byte of its own, and pads with the digit 0.
    dataset.PixelData = _packed(masks)
    _set_identity(dataset, uid_from("dimensions", *own))
    return dataset


def _packed(masks: np.ndarray) -> bytes:
    """The frames of masks (1, H, W, P): lowest bit first, without gaps, to an even number of bytes (PS3.5 8.1.1)."""
    bits = np.packbits(np.moveaxis(masks[0], -1, 0), bitorder="little").tobytes()
    return bits + b"\0" * (len(bits) % 2)


def _described(place: int, record: ObjectRecord, kind: str, number: str | None) -> highdicom.seg.SegmentDescription:
    category, type = concepts_of(record.category, kind, number)
    algorithm, name = _algorithm(record)
    identified = None
    if algorithm != MANUAL:
        identified = highdicom.AlgorithmIdentificationSequence(name, _ARTIFICIAL_INTELLIGENCE, __version__)
    described = highdicom.seg.SegmentDescription(
        place, label_of(record.category), _coded(category), _coded(type), algorithm, identified
    )
    description = description_of(record.category)
    if description is not None:
        described.SegmentDescription = description
    return described


def _algorithm(record: ObjectRecord) -> tuple[str, str]:
    """How an object came about, as far as its dataset says, and the model's name; MANUAL where it says nothing."""
    model = record.extra.get("model")
    name = model.get("name") if isinstance(model, Mapping) else None
    shown = label_of(name) if isinstance(name, str) and name else MANUFACTURER
    if record.extra.get("source") in _ASSISTED:
        return SEMIAUTOMATIC, shown
    # A chart that nobody has looked at has scores and no annotator.
    automatic = "confidence" in record.extra and "source" not in record.extra
    return (AUTOMATIC, shown) if automatic else (MANUAL, shown)


def _coded(concept: Concept) -> Code:
    return Code(concept.value, concept.scheme, concept.meaning)


def _digest(image: ImageRecord, masks: np.ndarray) -> str:
    content = hashlib.sha256(np.packbits(masks).tobytes())
    for record in image.objects:
        content.update(f"{record.category}\0{_algorithm(record)}\0".encode("utf-8", "surrogatepass"))
    return content.hexdigest()


def _set_identity(dataset: pydicom.Dataset, dimensions: pydicom.uid.UID) -> None:
    """Sets what highdicom draws by chance or from the clock."""
    moment = _moment()
    dataset.InstanceCreationDate = dataset.ContentDate = dataset.SeriesDate = DA(moment.date())
    dataset.InstanceCreationTime = dataset.ContentTime = dataset.SeriesTime = TM(moment.time())
    for equipment in dataset.get("ContributingEquipmentSequence") or ():
        if "ContributionDateTime" in equipment:
            equipment.ContributionDateTime = DT(moment)
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in dataset.get(keyword) or ():
            item.DimensionOrganizationUID = dimensions


def _moment() -> datetime:
    given: Any = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isascii() and given.isdigit() and len(given) < 12:
        return datetime.fromtimestamp(int(given), UTC).replace(tzinfo=None)
    return datetime.now()
