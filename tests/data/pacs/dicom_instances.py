"""Made-up radiographs, and their segmentations, as a PACS holds them."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.uid import generate_uid

from ..images.dicom.dicom_files import ramp, write_dicom

PANORAMIC = "1.2.840.10008.5.1.4.1.1.1.1"


def write_instance(path: Path, uid: str | None = None, *, study: str | None = None, **elements: Any) -> Path:
    """A panoramic (32, 64) of 12 bits with the UIDs of a study; elements: as `write_dicom`."""
    uids = {"SOPInstanceUID": uid or generate_uid(), "StudyInstanceUID": study or generate_uid()}
    pixels = elements.pop("pixels", ramp())
    defaults = {"Modality": "PX", "PatientID": "made-up", "SeriesInstanceUID": generate_uid()}
    write_dicom(path, pixels, **(defaults | uids | elements))
    header = pydicom.dcmread(path)
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.save_as(path, enforce_file_format=True)
    return path


def write_segmentation(path: Path, image: Path, masks: np.ndarray) -> Path:
    """A BINARY DICOM SEG of masks (P, H, W) bool on an image, as highdicom writes it."""
    import highdicom
    from pydicom.sr.codedict import codes

    source = pydicom.dcmread(image)
    for keyword in ("AccessionNumber", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate"):
        setattr(source, keyword, source.get(keyword, ""))
    source.StudyTime = ""
    descriptions = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"{number}",
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=codes.SCT.Tooth,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number in range(1, len(masks) + 1)
    ]
    written = highdicom.seg.Segmentation(
        source_images=[source],
        pixel_array=np.moveaxis(masks, 0, -1)[None].astype(np.uint8),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=descriptions,
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="dentasam",
        manufacturer_model_name="tests",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=False,
    )
    written.save_as(path)
    return path
