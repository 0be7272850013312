"""Small DICOM files with any slip in them, and the arithmetic of what they should show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

Write = Callable[..., Path]


def write_dicom(path: Path, pixels: np.ndarray, bits: int = 12, **elements: Any) -> Path:
    """Writes pixels (H, W) or (H, W, 3). elements: by keyword; None deletes one, (VR, bytes) is written as it is.

    syntax: transfer syntax; frame: the compressed image that stands for the pixels.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.1")
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = elements.pop("syntax", ExplicitVRLittleEndian)
    frame = elements.pop("frame", None)
    syntax = meta.TransferSyntaxUID
    little = syntax.is_little_endian
    encoding = {"is_implicit_VR": syntax.is_implicit_VR, "is_little_endian": little}
    header = FileDataset("", {}, file_meta=meta, preamble=bytes(128), **encoding)
    header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, generate_uid()
    header.Rows, header.Columns = pixels.shape[:2]
    header.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    header.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        header.PlanarConfiguration = 0
    header.BitsAllocated = 8 * pixels.itemsize
    header.BitsStored, header.HighBit = bits, bits - 1
    header.PixelRepresentation = int(pixels.dtype.kind == "i")
    header.PixelData = pixels.astype(pixels.dtype.newbyteorder("<" if little else ">")).tobytes()
    header["PixelData"].VR = "OW" if pixels.itemsize > 1 else "OB"
    if frame is not None:
        header.PixelData = encapsulate([frame])
        header["PixelData"].VR = "OB"
        header["PixelData"].is_undefined_length = True
    for keyword, value in elements.items():
        if value is None:
            delattr(header, keyword)
        elif isinstance(value, tuple):
            vr, content = value
            header[keyword] = RawDataElement(Tag(keyword), vr, len(content), content, 0, False, little)
        else:
            setattr(header, keyword, value)
    header.save_as(path, enforce_file_format=True)
    return path


def ramp(low: int = 0, high: int = 4095, dtype: Any = np.uint16) -> np.ndarray:
    return np.linspace(low, high, 64 * 32).round().astype(dtype).reshape(32, 64)


def to_16_bits(values: np.ndarray, low: float, high: float) -> np.ndarray:
    low, high = float(low), float(high)
    return np.rint(np.clip((values.astype(float) - low) / (high - low), 0, 1) * 65535)


def lut(first: int, table: list[int], bits: int) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(table) % 65536, first, bits]
    item["LUTDescriptor"].VR = "US" if first >= 0 else "SS"
    item.add_new("LUTData", "US", table)
    return item
