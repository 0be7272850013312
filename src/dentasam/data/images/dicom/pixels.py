"""Pixel data → stored values: which bits of a cell count, and whether the highest of them is a sign.

PS3.5 8.1.1: in each cell, `BitsStored` bits up to `HighBit` are the value. The others may hold overlays of old files,
sign bits, or garbage.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dentasam.data.images.dicom.compression.decoders import Decoded, check_stream, decode
from dentasam.data.images.dicom.compression.pixel_element import ITEM
from dentasam.data.images.dicom.elements import Elements
from dentasam.data.images.dicom.file import DicomFile
from dentasam.data.images.dicom.layout import Layout
from dentasam.data.images.strips import strips
from dentasam.errors import ImageError

FLOAT_DATA = {"FloatPixelData": "f4", "DoubleFloatPixelData": "f8"}
# Overlay groups are even, from 6000 to 601E.
OVERLAY_GROUPS = range(0x6000, 0x6020, 2)


def read_pixels(path: Path, file: DicomFile, elements: Elements, layout: Layout) -> tuple[np.ndarray, str]:
    """Stored values (H, W) or (H, W, 3), signed integers (or floats), and their photometric interpretation.

    Raises ImageError or ValueError where there are none, or fewer than the header says.
    """
    decoded, photometric = read_cells(path, file, elements, layout)
    return stored_values(decoded, layout, elements), photometric


def read_cells(path: Path, file: DicomFile, elements: Elements, layout: Layout) -> tuple[Decoded, str]:
    """The cells of the pixels, (H, W) or (H, W, 3), and their photometric interpretation; raises as `read_pixels`."""
    for keyword, code in FLOAT_DATA.items():
        if elements.has(keyword):
            content, _, _ = elements.content(keyword)
            number = np.dtype(file.order + code)
            return Decoded(_shaped(content, number, layout), 8 * number.itemsize), layout.photometric
    content, vr, _ = elements.content("PixelData")
    if not content:
        raise ImageError(f"{path} has no pixel data (a report or a directory file?); export the image itself")
    _check_encapsulated(path, content, len(content), file, layout)
    if file.is_compressed:
        decoded = decode(content, file.syntax, layout)
    else:
        _check_frames(path, len(content), layout, elements)
        decoded = Decoded(_cells(content, vr, file.order, layout), layout.allocated)
    return decoded, decoded.photometric or layout.photometric


def check_pixels(path: Path, file: DicomFile, layout: Layout) -> None:
    """Raises what `read_pixels` would raise, as far as the start of the pixel data shows it."""
    if file.pixels is None:
        raise ImageError(f"{path} has no pixel data (a report or a directory file?); export the image itself")
    _check_encapsulated(path, file.pixels.start, file.pixels.length or 0, file, layout)
    if file.is_compressed:
        stream = file.pixels.codestream()
        if stream is not None:
            check_stream(stream, layout)
    elif file.pixels.length is not None:
        if file.pixels.length == 0:
            raise ImageError(f"{path} has no pixel data (a report or a directory file?); export the image itself")
        _check_length(file.pixels.length, _bytes_needed(layout))


def _check_encapsulated(path: Path, start: bytes, length: int, file: DicomFile, layout: Layout) -> None:
    """Raises ImageError where the pixel data are of the other kind, in fragments or not, than the header says."""
    is_encapsulated = start[:4] == ITEM
    if file.is_compressed and not is_encapsulated:
        raise ImageError(f"{path} is not compressed, its header says {file.syntax.name}; export it again")
    if is_encapsulated and not file.is_compressed and length < _bytes_needed(layout):
        raise ImageError(f"{path} is compressed, its header says {file.syntax.name}; export it again")


def _check_frames(path: Path, length: int, layout: Layout, elements: Elements) -> None:
    """Raises ImageError for the data of several frames where the header does not say how many there are."""
    # Of a single byte the second one is the padding.
    frames = length // max(2, _bytes_needed(layout))
    if frames > 1:
        if elements.has("NumberOfFrames") and not elements.integer("NumberOfFrames"):
            raise ImageError(f"{path} holds {frames} frames; export the one panoramic frame as its own file")
        elements.report(f"holds the data of {frames} frames; the first is shown")


def _cells(content: bytes, vr: str, order: str, layout: Layout) -> np.ndarray:
    """Cells of pixel data that are not compressed: (H, W) or (H, W, 3), unsigned."""
    if layout.allocated == 1:
        count = layout.rows * layout.columns
        _check_length(len(content), _bytes_needed(layout))
        cells = np.unpackbits(np.frombuffer(content, np.uint8), count=count, bitorder="little")
        return cells.reshape(layout.rows, layout.columns)
    if layout.allocated == 8 and vr == "OW" and order == ">" and len(content) % 2 == 0:
        # Two pixels in a word, the first in its low byte.
        content = np.frombuffer(content, ">u2").astype("<u2").tobytes()
    cell = np.dtype(f"{order}u{layout.allocated // 8}")
    if layout.photometric == "YBR_FULL_422":
        count = layout.rows * layout.columns
        if len(content) < 3 * count * cell.itemsize:
            return _first_samples_422(content, cell, layout)
        # A third more than subsampled data have: all samples are there, whatever the header says.
    return _shaped(content, cell, layout)


def _shaped(content: bytes, cell: np.dtype, layout: Layout) -> np.ndarray:
    planes_first = (layout.samples, layout.rows, layout.columns)
    count = layout.rows * layout.columns * layout.samples
    _check_length(len(content), count * cell.itemsize)
    cells = np.frombuffer(content, cell, count)
    if layout.samples == 1:
        return cells.reshape(planes_first[1:])
    if layout.planar:
        return np.moveaxis(cells.reshape(planes_first), 0, -1)
    return cells.reshape(layout.rows, layout.columns, layout.samples)


def _first_samples_422(content: bytes, cell: np.dtype, layout: Layout) -> np.ndarray:
    """The luminance, three times over, of pairs of pixels that share their chrominance: Y Y Cb Cr."""
    pairs = layout.rows * layout.columns // 2
    _check_length(len(content), 4 * pairs * cell.itemsize)
    luminance = np.frombuffer(content, cell, 4 * pairs).reshape(pairs, 4)[:, :2]
    return np.repeat(luminance.reshape(layout.rows, layout.columns, 1), 3, axis=2)


def _bytes_needed(layout: Layout) -> int:
    """The least that the pixels take where they are not compressed."""
    samples = 2 if layout.photometric == "YBR_FULL_422" else layout.samples
    return -(-layout.rows * layout.columns * samples * layout.allocated // 8)


def _check_length(length: int, needed: int) -> None:
    if length < needed:
        raise ValueError(f"it has {length} bytes of pixel data, {needed} are needed")


def stored_values(decoded: Decoded, layout: Layout, elements: Elements) -> np.ndarray:
    """The values of the bits that count: int64 where cells have 32 bits or more, int32 otherwise, floats as they are.

    Reports bits that do not count and are neither zero nor the sign's.
    """
    if decoded.samples.dtype.kind == "f":
        return decoded.samples
    values, junk = _values_and_junk(decoded.samples, decoded, layout, elements)
    report_junk(junk, decoded, layout, elements)
    return values


def values_by_strip(decoded: Decoded, layout: Layout, elements: Elements) -> Iterator[np.ndarray]:
    """As `stored_values`, in strips of pixels (n,) or (n, 3)."""
    cells = decoded.samples
    flat = cells.reshape(-1) if layout.samples == 1 else cells.reshape(-1, layout.samples)
    any_junk = False
    for strip in strips(len(flat)):
        if cells.dtype.kind == "f":
            yield flat[strip]
            continue
        values, junk = _values_and_junk(flat[strip], decoded, layout, elements)
        any_junk |= junk
        yield values
    report_junk(any_junk, decoded, layout, elements)


def report_junk(junk: bool, decoded: Decoded, layout: Layout, elements: Elements) -> None:
    """Reports that cells hold more than the bits that count."""
    if junk:
        bits = min(layout.stored, decoded.bits)
        elements.report(f"has pixels with bits above the {bits} that BitsStored names; only those {bits} count")


def _values_and_junk(
    samples: np.ndarray, decoded: Decoded, layout: Layout, elements: Elements
) -> tuple[np.ndarray, bool]:
    """The values of cells of any shape, and whether there are bits that do not count."""
    cells: np.ndarray = samples.astype(np.int32 if decoded.bits <= 16 else np.int64)
    bits = min(layout.stored, decoded.bits)
    # Compressed cells may be narrower than those that HighBit is about.
    shift = layout.high + 1 - layout.stored if layout.high < decoded.bits else 0
    if decoded.lossy and decoded.bits > bits and not shift:
        # A lossy compression overshoots the range a little; its low bits alone would turn white to black.
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if layout.signed else (0, (1 << bits) - 1)
        return np.clip(_with_sign(cells, decoded.bits, layout.signed), low, high), False
    if bits == 64:
        return cells, False
    values = _with_sign((cells >> shift) & ((1 << bits) - 1), bits, layout.signed)
    if not shift and bits < decoded.bits and not _has_overlay_in_pixels(elements):
        return values, _has_junk(cells, values, bits, decoded.bits, layout.signed)
    return values, False


def _with_sign(values: np.ndarray, bits: int, signed: bool) -> np.ndarray:
    return np.where(values >> (bits - 1), values - (1 << bits), values) if signed else values


def _has_junk(cells: np.ndarray, values: np.ndarray, bits: int, width: int, signed: bool) -> bool:
    """Whether bits above the stored ones are neither zero nor the sign's."""
    whole = (1 << width) - 1
    junk = cells & whole != values & ((1 << bits) - 1)
    if signed:
        junk &= cells & whole != values & whole
    return bool(junk.any())


def _has_overlay_in_pixels(elements: Elements) -> bool:
    """Whether a group 60xx claims a bit of the pixel cells: it has a bit position and no data of its own."""
    header = elements.dataset
    return any(
        (group, 0x0102) in header and (group, 0x3000) not in header and header[group, 0x0102].value
        for group in OVERLAY_GROUPS
    )
