"""The pixel data of a DICOM file: blanked where asked, and without the bits and bytes that are not pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import DataElement, Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from dentasam.data.deidentify.codestreams import bare_jpeg, bare_jpeg_2000
from dentasam.data.images.dicom.compression.codestream import JPEG_2000, codestream_of
from dentasam.data.images.dicom.elements import Elements
from dentasam.data.images.dicom.file import DicomFile
from dentasam.data.images.dicom.gray_levels.colour import palette_luminance
from dentasam.data.images.dicom.layout import PALETTE, YBR, Layout
from dentasam.data.images.dicom.pixels import FLOAT_DATA, read_pixels

PIXEL_DATA = 0x7FE00010
_OFFSET_TABLES = (0x7FE00001, 0x7FE00002)


def blank(path: Path, file: DicomFile, elements: Elements, layout: Layout, region: np.ndarray) -> bool:
    """Makes the pixels of region (H, W) bool black in the stored values; whether compressed pixels were unpacked."""
    stored, photometric = read_pixels(path, file, elements, layout)
    stored = stored.copy()
    for keyword, code in FLOAT_DATA.items():
        if keyword in file.dataset:
            stored[region] = _black(stored, photometric, elements, layout, region)
            file.dataset[keyword].value = stored.astype(file.order + code).tobytes()
            return False
    if photometric == "YBR_FULL_422" and not file.is_compressed:
        # Pairs of pixels share their colours; the gray picture is what is read of them.
        stored, photometric = stored[..., 0], "MONOCHROME2"
    stored[region] = _black(stored, photometric, elements, layout, region)
    _store(file, layout, stored, photometric)
    return file.is_compressed


def clean(path: Path, file: DicomFile, elements: Elements, layout: Layout) -> list[str]:
    """Removes from the pixel data what is not pixels and returns names of what was found there.

    That is: metadata in and after a compressed image; bytes after the pixels; bits of the cells that are not of the
    pixels, in which old files keep an overlay.
    """
    dataset = file.dataset
    if PIXEL_DATA not in dataset:
        return []
    content, vr, _ = elements.content("PixelData")
    if file.is_compressed:
        return _clean_compressed(dataset, content, file.syntax)
    if layout.photometric == "YBR_FULL_422":
        # It may have all samples or two thirds of them, whatever the header says.
        return []
    found = []
    needed = -(-layout.rows * layout.columns * layout.samples * layout.allocated // 8)
    # Cells may lie in words of two bytes.
    needed += needed % 2
    if content[needed:].strip(b"\0"):
        found.append("bytes after the pixels")
    if _has_other_bits(content[:needed], file.order, layout):
        found.append("bits beside the pixels'")
        _store(file, layout, *read_pixels(path, file, elements, layout))
    elif len(content) > needed:
        _put(dataset, vr or "OW", content[:needed])
    return found


def _clean_compressed(dataset: Dataset, content: bytes, syntax: UID) -> list[str]:
    frame, found = get_frame(content, 0, number_of_frames=1), list[str]()
    if syntax != RLELossless:
        stream = codestream_of(frame)
        frame, found = bare_jpeg_2000(frame) if stream.coding == JPEG_2000 else bare_jpeg(frame)
    _put(dataset, "OB", encapsulate([frame]), encapsulated=True)
    return found


def _has_other_bits(content: bytes, order: str, layout: Layout) -> bool:
    """Whether a cell has bits outside of the pixel's that do not repeat its sign."""
    if layout.allocated not in (8, 16, 32) or layout.stored == layout.allocated:
        return False
    cells = np.frombuffer(content, f"{order}u{layout.allocated // 8}")
    mask = ((1 << layout.stored) - 1) << (layout.high + 1 - layout.stored)
    whole = (1 << layout.allocated) - 1
    others = cells & np.array(whole ^ mask, cells.dtype)
    if not layout.signed or layout.high + 1 == layout.allocated:
        return bool(others.any())
    above = np.array(whole ^ ((1 << (layout.high + 1)) - 1), cells.dtype)
    sign = cells >> layout.high & 1
    return bool((others != np.where(sign, above, 0)).any() and others.any())


def _black(
    stored: np.ndarray, photometric: str, elements: Elements, layout: Layout, region: np.ndarray
) -> np.ndarray | int:
    """The stored value, or three of them, that are shown black, among those of the rest of the image."""
    if stored.ndim == 3:
        middle = 1 << (layout.stored - 1)
        return np.array((0, middle, middle) if photometric in YBR else (0, 0, 0))
    others = stored[~region]
    levels = np.unique(others if others.size else stored)
    if photometric == PALETTE:
        return levels[int(np.argmin(palette_luminance(levels, elements)))]
    falling = (elements.number("RescaleSlope") or 1) < 0
    return levels[-1] if (photometric == "MONOCHROME1") != falling else levels[0]


def _store(file: DicomFile, layout: Layout, stored: np.ndarray, photometric: str) -> None:
    """Puts stored values (H, W) or (H, W, 3) into the data set, uncompressed, with the header that fits them."""
    order = "<" if file.is_compressed else file.order
    allocated = max(8, layout.allocated)
    cells = stored.astype(f"{order}{'i' if layout.signed else 'u'}{allocated // 8}")
    dataset = file.dataset
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, layout.stored, layout.stored - 1
    dataset.PixelRepresentation = int(layout.signed)
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1 if stored.ndim == 2 else 3, photometric
    if stored.ndim == 3:
        dataset.PlanarConfiguration = 0
    elif "PlanarConfiguration" in dataset:
        del dataset.PlanarConfiguration
    _put(dataset, "OB" if allocated == 8 else "OW", cells.tobytes())


def _put(dataset: Dataset, vr: str, content: bytes, encapsulated: bool = False) -> None:
    element = DataElement(PIXEL_DATA, vr, content + b"\0" * (len(content) % 2))
    element.is_undefined_length = encapsulated
    dataset[PIXEL_DATA] = element
    for tag in _OFFSET_TABLES:
        if tag in dataset:
            del dataset[tag]


def syntax_to_write(file: DicomFile, unpacked: bool) -> UID:
    """The transfer syntax of the output: that of the source where it can be kept."""
    if file.is_compressed:
        return ExplicitVRLittleEndian if unpacked else file.syntax
    implicit, little = file.dataset.original_encoding
    if not little:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
