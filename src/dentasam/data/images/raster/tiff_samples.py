"""What the sample values of a TIFF page mean, and the gray picture that they give.

Unsigned integers of up to 16 bits are scaled by their depth: its greatest value is white. Wider and signed integers
and floats have no such value; they are scaled over the range of the page's values. Colour becomes Rec. 601 luminance,
and further channels (alpha) are dropped. What the tags leave open is refused with its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC, SAMPLEFORMAT, TiffPage

from dentasam.data.images.grayscale import luminance, stretched
from dentasam.data.images.strips import are_finite, combined, converted, strips
from dentasam.data.notices import notice
from dentasam.errors import ImageError

GRAY = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK)
COLOURS: dict[int, int] = {PHOTOMETRIC.RGB: 3, PHOTOMETRIC.SEPARATED: 4}
PHOTOMETRIC_TAG, EXTRA_SAMPLES, INK_SET, REFERENCE_BLACK_WHITE, COLOUR_MAP = 262, 338, 332, 532, 320
CMYK_INKS = 1
NUMBERS: dict[int, str] = {
    SAMPLEFORMAT.UINT: "unsigned integers",
    SAMPLEFORMAT.INT: "signed integers",
    SAMPLEFORMAT.IEEEFP: "floats",
    SAMPLEFORMAT.COMPLEXINT: "complex integers",
    SAMPLEFORMAT.COMPLEXIEEEFP: "complex floats",
}
# Those of radiographs and scans. JPEG of CMYK is stored inverted by some writers and not by others.
READ_COMPRESSIONS = frozenset(
    {COMPRESSION.NONE, COMPRESSION.CCITTRLE, COMPRESSION.CCITT_T4, COMPRESSION.CCITT_T6, COMPRESSION.LZW}
    | {COMPRESSION.JPEG, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.PACKBITS}
    | {COMPRESSION.LZMA, COMPRESSION.ZSTD}
)
MIN_INNER_PIXELS = 64
# Alpha and a few more; a file with dozens is not a radiograph, and would fill the memory.
MAX_CHANNELS = 6


@dataclass(frozen=True)
class TiffSamples:
    """How to read a page's planes.

    depth: bits of a sample. unsigned: whether samples are unsigned integers of up to 16 bits. rgb: whether the first
    three planes are red, green and blue.
    """

    photometric: int
    depth: int
    unsigned: bool
    rgb: bool = False
    colours: np.ndarray | None = None  # (n, 3) of a palette, 0…65535

    @staticmethod
    def of(path: Path, page: TiffPage) -> TiffSamples:
        """Raises ImageError for kinds of samples that are not read."""
        photometric = _photometric(path, page)
        # tifffile gives tuples where the channels differ.
        kind: Any = page.sampleformat
        depth: Any = page.bitspersample
        channels = page.samplesperpixel
        numbers = NUMBERS.get(kind, f"samples of format {kind}")
        if isinstance(depth, tuple) or isinstance(kind, tuple):
            raise ImageError(f"{path} has channels of different depths; save it as a 16-bit grayscale PNG")
        if page.dtype is None or page.dtype.kind not in "buif":
            raise ImageError(f"{path} holds {numbers} of {depth} bits; save it as a 16-bit grayscale PNG")
        _check_compression(path, page)
        unsigned = page.dtype.kind in "bu" and depth <= 16
        wanted = COLOURS.get(photometric, 1)
        named = _name(PHOTOMETRIC, photometric)
        colours = None
        if photometric == PHOTOMETRIC.PALETTE:
            colours = _palette(path, page)
        elif photometric == PHOTOMETRIC.SEPARATED and page.tags.valueof(INK_SET, CMYK_INKS) != CMYK_INKS:
            raise ImageError(f"{path} holds inks other than CMYK; save it as a grayscale PNG")
        elif photometric == PHOTOMETRIC.YCBCR:
            wanted = _check_ycbcr(path, page)
        elif photometric not in (*GRAY, *COLOURS):
            raise ImageError(f"{path} holds {named} samples; save it as a 16-bit grayscale PNG")
        if wanted > 1 and not unsigned:
            raise ImageError(f"{path} is a colour image of {numbers} of {depth} bits; save it as a grayscale PNG")
        extra = channels - wanted
        if extra < 0 or channels > MAX_CHANNELS or (extra > 1 and EXTRA_SAMPLES not in page.tags):
            raise ImageError(f"{path} has {channels} channels as {named}; save it as a 16-bit grayscale PNG")
        # JPEG inside TIFF is decoded to RGB; other YCbCr is not, and there the first sample is the luminance.
        decoded = page.compression == COMPRESSION.JPEG and page.planarconfig == 1 and not page.extrasamples
        rgb = photometric == PHOTOMETRIC.RGB or (photometric == PHOTOMETRIC.YCBCR and decoded)
        return TiffSamples(photometric, depth, unsigned, rgb, colours)

    @property
    def bits(self) -> int:
        """Of the gray picture: 8 or 16."""
        return 8 if self.colours is not None or (self.unsigned and self.depth <= 8) else 16

    def gray(self, path: Path, planes: np.ndarray) -> np.ndarray:
        """The picture (H, W) of the samples (channels, H, W). Raises ImageError for values that are not finite."""
        full = 255 if self.bits == 8 else 65535
        if self.colours is not None:
            table = np.rint(luminance(self.colours.T.astype(np.float64)) * (255 / 65535)).astype(np.uint8)
            if int(planes[0].max()) >= len(table):
                raise ImageError(f"{path} has pixels that its palette does not hold; export it again")
            return converted(planes[0], np.uint8, lambda part: table[part.astype(np.intp)])
        dtype = np.uint8 if full == 255 else np.uint16
        if not self.unsigned:
            gray = scaled(path, planes[0])
        elif self.photometric == PHOTOMETRIC.SEPARATED:
            gray = combined(planes[:4], dtype, lambda inks: self._of_inks(inks, full))
        elif self.rgb:
            scale = full / self._white
            gray = combined(
                planes[:3], dtype, lambda part: _rounded(luminance(part.astype(np.float64)) * scale, full)
            )
        elif self._white == full:
            gray = planes[0].astype(dtype)
        else:
            scale = full / self._white
            gray = converted(planes[0], dtype, lambda part: _rounded(part * scale, full))
        return np.asarray(full - gray) if self.photometric == PHOTOMETRIC.MINISWHITE else np.ascontiguousarray(gray)

    def _of_inks(self, inks: np.ndarray, full: int) -> np.ndarray:
        """The gray values (n,) of cyan, magenta, yellow and black (4, n)."""
        cyan, magenta, yellow, black = (1 - ink / self._white for ink in inks)
        return _rounded(luminance(np.stack([cyan * black, magenta * black, yellow * black])) * full, full)

    @property
    def _white(self) -> int:
        return 2**self.depth - 1


def scaled(path: Path, values: np.ndarray) -> np.ndarray:
    """Numbers of any kind (H, W) as uint16: integers that fit 16 bits as they are, others over their range.

    An extreme value that is further from the others than their own range is wide (padding, a marker) is left out of
    the range. Raises ImageError where a number is not finite.
    """
    if not are_finite(values):
        raise ImageError(f"{path} holds NaN or infinite pixels; replace them and save it again")
    low, high = values.min(), values.max()
    if values.dtype.kind in "iu" and low >= 0 and high <= 65535:
        return values.astype(np.uint16)
    start, end = float(low), float(high)
    count, first, last = _inner_range(values, low, high)
    if count >= max(MIN_INNER_PIXELS, values.size // 20):
        width = last - first
        if width > 0:
            start = first if first - start > width else start
            end = last if end - last > width else end
    return stretched(values, start, end, 65535)


def _inner_range(values: np.ndarray, low: Any, high: Any) -> tuple[int, float, float]:
    """How many values lie between the extremes, and the least and greatest of those."""
    count, first, last = 0, float(high), float(low)
    flat = values.reshape(-1)
    for strip in strips(flat.size):
        part = flat[strip]
        inner = part[(part > low) & (part < high)]
        if inner.size:
            count += inner.size
            first, last = min(first, float(inner.min())), max(last, float(inner.max()))
    return count, first, last


def _rounded(values: np.ndarray, full: int) -> np.ndarray:
    return np.rint(values).clip(0, full).astype(np.uint8 if full == 255 else np.uint16)


def _photometric(path: Path, page: TiffPage) -> int:
    if PHOTOMETRIC_TAG in page.tags:
        return int(page.photometric)
    if page.samplesperpixel >= 3:
        notice(path, "does not say what its channels are; they are taken as RGB")
        return int(PHOTOMETRIC.RGB)
    notice(path, "does not say whether 0 is black or white; it is taken as black")
    return int(PHOTOMETRIC.MINISBLACK)


def _check_compression(path: Path, page: TiffPage) -> None:
    compression = page.compression
    if compression not in READ_COMPRESSIONS or (compression == COMPRESSION.JPEG and _is_cmyk(page)):
        named = _name(COMPRESSION, compression)
        raise ImageError(f"{path} is compressed as {named}, which is not read; save it as a grayscale PNG")


def _name(kind: type[IntEnum], value: int) -> str:
    try:
        return kind(value).name
    except ValueError:
        return f"scheme {value}"


def _is_cmyk(page: TiffPage) -> bool:
    return page.photometric == PHOTOMETRIC.SEPARATED


def _check_ycbcr(path: Path, page: TiffPage) -> int:
    """The number of channels to read. Raises ImageError where the first is not the luminance."""
    reference = page.tags.valueof(REFERENCE_BLACK_WHITE)
    whole = reference is None or list(np.ravel(reference))[:4:2] in ([0, 255], [0, 1])
    if page.compression != COMPRESSION.JPEG and (page.is_subsampled or not whole):
        raise ImageError(f"{path} holds YCbCr samples in pieces of several pixels; save it as a grayscale PNG")
    return 3


def _palette(path: Path, page: TiffPage) -> np.ndarray:
    """The colours (n, 3), 0…65535. Some writers store 8-bit values, in the lower or the upper byte."""
    given = page.tags.valueof(COLOUR_MAP)
    if given is None or page.bitspersample > 16 or np.size(given) != 3 * 2**page.bitspersample:
        raise ImageError(f"{path} has no palette for its samples; export it again")
    colours = np.asarray(given, np.int64).reshape(3, -1).T
    if colours.max(initial=0) < 256:
        return colours * 257
    return colours // 256 * 257 if not (colours % 256).any() else colours
