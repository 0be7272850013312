"""The layout of the pixels according to the header, with the corrections that viewers make."""

from dataclasses import dataclass
from pathlib import Path

from dentasam.data.images.dicom.elements import Elements
from dentasam.data.images.size_limit import DICOM_LIMIT, check_decoded, check_size
from dentasam.errors import ImageError

MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
YBR = ("YBR_FULL", "YBR_FULL_422")
# Three samples that a JPEG 2000 decoder turns to RGB by itself.
DECODED_TO_RGB = ("YBR_ICT", "YBR_RCT")
# Colours of the standard and of its retired parts that no radiograph is kept in.
OTHER_COLOURS = ("HSV", "ARGB", "CMYK", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "XYB")
THREE_SAMPLES = ("RGB", *YBR, *DECODED_TO_RGB)
BITS_ALLOCATED = (1, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Layout:
    """PS3.3 C.7.6.3.1. signed: two's complement; planar: whether one plane follows another."""

    rows: int
    columns: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    high: int
    signed: bool
    planar: bool

    @property
    def is_colour(self) -> bool:
        return self.photometric not in MONOCHROME


def layout_of(path: Path, elements: Elements) -> Layout:
    """The layout of a single frame. Raises ImageError for several frames, no pixels, or a form that is not read."""
    rows, columns = elements.integer("Rows"), elements.integer("Columns")
    if rows is None or columns is None:
        raise ImageError(f"{path} has no pixel data (a report or a directory file?); export the image itself")
    frames = elements.integer("NumberOfFrames")
    if not frames:
        if elements.has("NumberOfFrames"):
            elements.report("has a NumberOfFrames that is empty or not a number; one frame is assumed")
        frames = 1
    if frames != 1:
        raise ImageError(f"{path} holds {frames} frames; export the one panoramic frame as its own file")
    photometric, samples = _colour(path, elements)
    check_size(path, rows, columns)
    allocated, stored, high = _bits(path, elements)
    check_decoded(path, rows * columns * samples * allocated // 8 * (2 if allocated > 32 else 1), DICOM_LIMIT)
    signed = elements.integer("PixelRepresentation")
    if signed not in (0, 1):
        elements.report("has no valid PixelRepresentation; unsigned is assumed")
    planar = elements.integer("PlanarConfiguration") if samples > 1 else 0
    if planar is None:
        elements.report("has no PlanarConfiguration; the samples of a pixel are taken as lying together")
    return Layout(rows, columns, samples, photometric, allocated, stored, high, signed == 1, planar == 1)


def _colour(path: Path, elements: Elements) -> tuple[str, int]:
    """Photometric interpretation and samples per pixel."""
    photometric, samples = elements.text("PhotometricInterpretation"), elements.integer("SamplesPerPixel")
    if not photometric:
        photometric = "RGB" if samples == 3 else "MONOCHROME2"
        elements.report(f"has no PhotometricInterpretation; {photometric} is assumed")
    if photometric in OTHER_COLOURS:
        raise ImageError(f"{path} is a colour image ({photometric}); export the radiograph as grayscale")
    if photometric not in (*MONOCHROME, PALETTE, *THREE_SAMPLES):
        if samples not in (None, 1):
            raise ImageError(
                f"{path} has an unknown PhotometricInterpretation ({photometric}); export the radiograph as grayscale"
            )
        elements.report(f"has PhotometricInterpretation {photometric}; MONOCHROME2 is assumed")
        photometric = "MONOCHROME2"
    usual = 3 if photometric in THREE_SAMPLES else 1
    if samples is None:
        elements.report(f"has no SamplesPerPixel; {usual} is assumed")
    elif samples != usual:
        raise ImageError(
            f"{path} contradicts itself ({photometric} with {samples} samples per pixel); export it again"
        )
    return photometric, usual


def _bits(path: Path, elements: Elements) -> tuple[int, int, int]:
    """Bits allocated, bits stored and high bit."""
    allocated, stored = elements.integer("BitsAllocated"), elements.integer("BitsStored")
    if allocated is None:
        raise ImageError(f"{path} is damaged or truncated DICOM (BitsAllocated is missing); export it again")
    if allocated not in BITS_ALLOCATED:
        raise ImageError(f"{path} has {allocated} bits per pixel, which cannot be read; export it with 8 or 16")
    if stored is None or not 0 < stored <= allocated:
        elements.report(f"has no valid BitsStored; {allocated} is assumed")
        stored = allocated
    high = elements.integer("HighBit")
    if high is None or not stored - 1 <= high < allocated:
        elements.report(f"has no valid HighBit; {stored - 1} is assumed")
        high = stored - 1
    return allocated, stored, high
