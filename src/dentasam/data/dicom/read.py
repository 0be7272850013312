"""Reading a single-frame DICOM radiograph as a device wrote it, without wrapping its 12 or 14 bits.

The order is the standard's (PS3.3 C.11): stored bits → modality (rescale or LUT) → VOI (LUT or window) →
display, where MONOCHROME1 is inverted. pydicom applies each step; what it takes for granted of its input is
settled here.
"""

import copy
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut, apply_voi, apply_windowing
from pydicom.uid import ImplicitVRLittleEndian

from dentasam.data.header import ImageHeader
from dentasam.data.image import check_size, stretched
from dentasam.errors import ImageError

BEYOND_ANY_PIXEL = 1e12


def read_dicom(path: Path) -> np.ndarray:
    """A single-frame grayscale DICOM file as (H, W): uint8 for 8 stored bits or fewer, otherwise uint16.

    12-bit data come scaled to the full 16 bits, over the VOI window where there is one and over the image's
    own range where there is none. Raises ImageError for several frames, colour, missing or truncated pixel
    data, and a compression that no installed decoder reads.
    """
    with _faults_named(path):
        header = _opened(path)
        _check_one_gray_frame(path, header)
        _check_decoder(path, header)
        values = apply_modality_lut(_stored(header), _with_wide_tables(header))
        if not np.isfinite(values).all():
            raise ImageError(f"{path} has a rescale slope or intercept that is not a number; export it again")
        full = 255 if header.BitsStored <= 8 else 65535
        gray = _displayed(header, values, full)
        return full - gray if header.PhotometricInterpretation == "MONOCHROME1" else gray


def dicom_header(path: Path) -> ImageHeader:
    """Size, bits and whether there is a window, from the header. Raises ImageError where `read_dicom` rejects it."""
    with _faults_named(path):
        header = _opened(path, stop_before_pixels=True)
        _check_one_gray_frame(path, header, pixels=False)
        bits = 8 if int(header.get("BitsStored") or 16) <= 8 else 16
        windowed = bool(header.get("VOILUTSequence")) or _has_window(header)
        return ImageHeader(int(header.Rows), int(header.Columns), bits, windowed)


def dicom_size(path: Path) -> tuple[int, int]:
    """Height and width in pixels, from the header. Raises ImageError for a header `read_dicom` rejects."""
    header = dicom_header(path)
    return header.height, header.width


@contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    try:
        # pydicom warns of every odd value of a header; what matters here is raised.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except Exception as fault:
        # A crafted or cut file makes pydicom and its decoders raise almost any exception.
        reason = " ".join(str(fault).split()) or type(fault).__name__
        raise ImageError(f"{path} is damaged or truncated DICOM ({reason}); export it again") from None


def _opened(path: Path, stop_before_pixels: bool = False) -> pydicom.Dataset:
    header = pydicom.dcmread(path, force=True, stop_before_pixels=stop_before_pixels)
    if "Rows" not in header and "SOPClassUID" not in header:
        raise ImageError(f"{path} is not a DICOM file; check what it is, or rename it after its real format")
    if "TransferSyntaxUID" not in header.file_meta:
        # Files without a preamble are older than it, and implicit little endian was the default then.
        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return header


def _check_one_gray_frame(path: Path, header: pydicom.Dataset, pixels: bool = True) -> None:
    if "Rows" not in header or "Columns" not in header or (pixels and "PixelData" not in header):
        raise ImageError(f"{path} has no pixel data (a report or a directory file?); export the image itself")
    frames = int(header.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ImageError(f"{path} holds {frames} frames; export the one panoramic frame as its own file")
    kind = header.get("PhotometricInterpretation", "MONOCHROME2")
    if kind not in ("MONOCHROME1", "MONOCHROME2") or header.get("SamplesPerPixel", 1) != 1:
        raise ImageError(f"{path} is a colour image ({kind}); export the radiograph as grayscale")
    check_size(path, int(header.Rows), int(header.Columns))


def _check_decoder(path: Path, header: pydicom.Dataset) -> None:
    syntax = header.file_meta.TransferSyntaxUID
    if not syntax.is_compressed:
        return
    try:
        readable = get_decoder(syntax).is_available
    except NotImplementedError:
        readable = False
    if not readable:
        raise ImageError(
            f"{path} is compressed as {syntax.name}, for which no decoder is installed; "
            "export it uncompressed, or pip install python-gdcm"
        )


def _stored(header: pydicom.Dataset) -> np.ndarray:
    """Stored values (H, W) int64, with what may lie in the unused high bits set right.

    Old files keep overlays there, and some writers leave a negative number's high bits zero. A file whose
    values simply do not fit BitsStored states it wrongly: cutting them would wrap the image, so they stay.
    """
    stored, allocated = int(header.BitsStored), int(header.BitsAllocated)
    if stored >= allocated or header.file_meta.TransferSyntaxUID.is_compressed:
        return header.pixel_array.astype(np.int64)
    # pydicom cuts off the unused bits by itself unless it believes all of them used.
    header.BitsStored, header.HighBit = allocated, allocated - 1
    values = header.pixel_array.astype(np.int64)
    header.BitsStored, header.HighBit = stored, stored - 1
    span = 1 << stored
    low_bits = values & (span - 1)
    if header.PixelRepresentation == 1:
        low_bits = np.where(low_bits >= span >> 1, low_bits - span, low_bits)
        if _has_overlay_in_pixels(header) or (values.min() >= 0 and values.max() < span):
            return low_bits
        return values
    return low_bits if _has_overlay_in_pixels(header) else values


def _has_overlay_in_pixels(header: pydicom.Dataset) -> bool:
    """Whether a group 60xx claims a bit of the pixel cells: it has a bit position and no data of its own."""
    return any(
        (group, 0x0102) in header and (group, 0x3000) not in header and header[group, 0x0102].value
        for group in range(0x6000, 0x6020, 2)
    )


def _displayed(header: pydicom.Dataset, values: np.ndarray, full: int) -> np.ndarray:
    """Modality values mapped to 0…full by the VOI LUT, else the window, else the range of values."""
    if header.get("VOILUTSequence"):
        wide = _with_wide_tables(header)
        entries, first, bits = header.VOILUTSequence[0].LUTDescriptor
        # pydicom subtracts `first` in the width of the table's entries, where a larger value would wrap.
        inside = np.clip(np.rint(values), first, first + (entries or 65536) - 1).astype(np.int64)
        shown = apply_voi(inside, wide)
        return stretched(shown, 0, max(2 ** int(bits) - 1, int(shown.max())), full)
    if _has_window(header):
        low, high = apply_windowing(np.array([-BEYOND_ANY_PIXEL, BEYOND_ANY_PIXEL]), header)
        return stretched(apply_windowing(values, header), low, high, full)
    low, high = _range(header, values)
    return stretched(values, low, high, full)


def _has_window(header: pydicom.Dataset) -> bool:
    """Whether the first window can be applied; one of no width is passed over, the image is still shown."""
    first = []
    for keyword in ("WindowCenter", "WindowWidth"):
        value = header.get(keyword)
        if value is None or value == "":
            return False
        first.append(float(value[0] if header[keyword].VM > 1 else value))
    linear = str(header.get("VOILUTFunction", "LINEAR")).upper() == "LINEAR"
    return all(map(math.isfinite, first)) and (first[1] >= 1 if linear else first[1] > 0)


def _range(header: pydicom.Dataset, values: np.ndarray) -> tuple[float, float]:
    """The range to show where the file names none.

    8-bit files are taken at face value. For wider ones it is the range of the image, as viewers do: 12 bits
    in a file that claims 16 would come out black otherwise. Padding around the image does not count.
    """
    if header.BitsStored <= 8 and not header.get("ModalityLUTSequence"):
        span = 1 << int(header.BitsStored)
        start = -(span >> 1) if header.PixelRepresentation == 1 else 0
        ends = apply_modality_lut(np.array([start, start + span - 1]), header)
        return float(min(ends)), float(max(ends))
    padding = header.get("PixelPaddingValue")
    if padding is not None:
        shown = values[values != apply_modality_lut(np.array([int(padding)]), _with_wide_tables(header))[0]]
        values = shown if shown.size else values
    return float(values.min()), float(values.max())


def _with_wide_tables(header: pydicom.Dataset) -> pydicom.Dataset:
    """The header with its LUTs declared 16 bits deep.

    pydicom reads a table and indexes it in the declared type: there is none for 12 bits, and 8 bits wrap an
    index above 255.
    """
    names = [name for name in ("ModalityLUTSequence", "VOILUTSequence") if header.get(name)]
    if not names:
        return header
    wide = pydicom.Dataset()
    wide.file_meta = header.file_meta
    for element in header:
        if element.tag.group == 0x0028:
            wide.add(copy.deepcopy(element))
    for name in names:
        item = wide[name].value[0]
        entries, first, _ = item.LUTDescriptor
        item.LUTDescriptor = [entries, first, 16]
    return wide
