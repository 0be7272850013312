"""Reading a TIFF file of one radiograph: its page is found and checked here, what its values mean is in `samples`.

tifffile finds pages and decodes strips and tiles. It fills what a damaged file lacks with zeros or with whatever
lies in memory, so sizes and segments are checked before, and the result starts out as zeros.
"""

import logging
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import numpy as np
from tifffile import COMPRESSION, TiffFile, TiffPage

from dentasam.data.images.dicom.compression.codestream import codestream_of
from dentasam.data.images.header import ImageHeader
from dentasam.data.images.raster.tiff_samples import TiffSamples
from dentasam.data.images.size_limit import (
    DECODED_LIMIT,
    MAX_SCANS,
    MAX_SEGMENTS,
    START_OF_SCAN,
    check_count,
    check_decoded,
    check_size,
)
from dentasam.documents.shown import MAX_REASON, cut, printable, shown
from dentasam.errors import ImageError

# What tifffile logs of odd files is either raised here or does not matter.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

REDUCED_IMAGE, MASK = 1, 4
SUB_IFDS, ORIENTATION = 330, 274
# What tifffile takes from the tags as they are: a damaged tag holds several numbers, or a text.
NUMBERS = (
    "imagewidth", "imagelength", "imagedepth", "tilewidth", "tilelength", "tiledepth", "rowsperstrip",
    "samplesperpixel", "compression", "photometric", "planarconfig", "predictor", "fillorder",
)  # fmt: skip
# A crafted chain of pages may be endless, or lead back to its start.
MAX_PAGES = 64


def read_tiff(path: Path) -> tuple[np.ndarray, int]:
    """The full-size page (H, W) and its orientation: uint8 for up to 8 bits of an unsigned integer, otherwise uint16.

    Raises ImageError for several full-size pages, kinds of samples that are not read, and damaged files.
    """
    with _opened(path) as file:
        page = _full_page(path, file)
        samples = TiffSamples.of(path, page)
        return samples.gray(path, _planes(path, page)), _orientation(page)


def read_planes(path: Path) -> tuple[np.ndarray, TiffSamples]:
    """The samples (channels, H, W) of the full-size page as stored, and what they mean.

    Raises ImageError as `read_tiff`, and for JPEG in the file, which changes values.
    """
    with _opened(path) as file:
        page = _full_page(path, file)
        if page.compression == COMPRESSION.JPEG:
            raise ImageError(f"{path} is compressed as JPEG, which changes its values; save it without loss")
        samples = TiffSamples.of(path, page)
        return _planes(path, page), samples


def _planes(path: Path, page: TiffPage) -> np.ndarray:
    _check_segments(path, page)
    if page.compression == COMPRESSION.JPEG:
        _check_jpeg_segments(path, page)
    values = np.zeros(page.shaped, page.dtype)
    # A view with rows and columns first: planes lie one after another, or samples side by side.
    values = page.asarray(out=values, squeeze=False, maxworkers=1).reshape(page.shaped)[:, 0]
    return values[..., 0] if len(values) > 1 else np.moveaxis(values[0], -1, 0)


def tiff_header(path: Path) -> ImageHeader:
    """What `read_tiff` will return, from the tags. Raises ImageError where `read_tiff` rejects them."""
    with _opened(path) as file:
        page = _full_page(path, file)
        bits = TiffSamples.of(path, page).bits
        _check_segments(path, page)
        return ImageHeader(page.imagelength, page.imagewidth, bits, orientation=_orientation(page))


@contextmanager
def _opened(path: Path) -> Iterator[TiffFile]:
    try:
        with TiffFile(path, is_ome=False, is_lsm=False, is_ndpi=False) as file:
            yield file
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{path} needs more memory than there is; shrink it") from None
    except Exception as error:
        # A damaged or crafted file makes tifffile and its codecs raise almost any exception.
        reason = cut(printable(" ".join(str(error).split())), MAX_REASON) or type(error).__name__
        raise ImageError(f"{path} is damaged or truncated ({reason}); copy it again") from None


def _orientation(page: TiffPage) -> int:
    value = page.tags.valueof(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _full_page(path: Path, file: TiffFile) -> TiffPage:
    """The one page of full size; thumbnails and masks are marked as such, in the chain of pages or below one."""
    pages = _chain(path, file)
    full = [page for page in pages if not _is_reduced(page)]
    if not full:
        # Raw converters put the thumbnail first and the picture below it.
        below = [inner for page in pages for inner in _below(page)]
        full = [page for page in below if not _is_reduced(page)] or pages
    if len(full) > 1:
        raise ImageError(f"{path} holds {len(full)} pages; save the radiograph as a file of one page")
    page = full[0]
    for name in NUMBERS:
        if not isinstance(getattr(page, name), int):
            found = shown(getattr(page, name))
            raise ImageError(f"{path} is damaged (its {name} is {found}, not a number); export it again")
    check_size(path, page.imagelength, page.imagewidth)
    if page.imagedepth > 1:
        raise ImageError(f"{path} is a volume of {page.imagedepth} slices; save the radiograph as a plain image")
    return page


def _chain(path: Path, file: TiffFile) -> list[TiffPage]:
    pages: list[TiffPage] = []
    for page in file.pages:
        if len(pages) == MAX_PAGES:
            raise ImageError(f"{path} holds more than {MAX_PAGES} pages; save the radiograph as a file of one page")
        pages.append(page.aspage())
    if not pages:
        raise ImageError(f"{path} holds no page; export it again")
    return pages


def _below(page: TiffPage) -> list[TiffPage]:
    if SUB_IFDS not in page.tags:
        return []
    return [inner.aspage() for inner in islice(page.pages or (), MAX_PAGES)]


def _is_reduced(page: TiffPage) -> bool:
    return bool(page.subfiletype & (REDUCED_IMAGE | MASK))


def _check_segments(path: Path, page: TiffPage) -> None:
    """Raises ImageError unless every strip or tile is there and lies inside the file, and none is too large."""
    size = path.stat().st_size
    wanted = math.prod(page.chunked)
    check_count(path, wanted, MAX_SEGMENTS, "strips or tiles")
    assert page.dtype is not None
    at_once = 0 if page.compression == COMPRESSION.NONE and not page.is_tiled else _segment_pixels(page)
    check_decoded(path, (math.prod(page.shaped) + at_once) * page.dtype.itemsize, DECODED_LIMIT)
    offsets, lengths = page.dataoffsets, page.databytecounts
    inside = all(
        start > 0 and length > 0 and start + length <= size for start, length in zip(offsets, lengths, strict=False)
    )
    if min(len(offsets), len(lengths)) < wanted or not inside:
        raise ImageError(f"{path} is damaged or truncated (strips or tiles are missing); copy it again")


def _segment_pixels(page: TiffPage) -> int:
    """Samples of a strip or tile. A tile may be larger than the image, and is decoded whole."""
    return math.prod((page.tilelength, page.tilewidth, page.shaped[-1])) if page.is_tiled else math.prod(page.chunks)


def _check_jpeg_segments(path: Path, page: TiffPage) -> None:
    """Raises ImageError where JPEG in a strip or tile has another size by far, or too many scans."""
    with path.open("rb") as file:
        for start, length in zip(page.dataoffsets, page.databytecounts, strict=False):
            file.seek(start)
            content = file.read(length)
            check_count(path, content.count(START_OF_SCAN), MAX_SCANS, "scans")
            with suppress(ValueError, struct.error):
                frame = codestream_of(content)
                if frame.rows * frame.columns > 2 * _segment_pixels(page):
                    size = f"{frame.columns} x {frame.rows}"
                    raise ImageError(f"{path} is damaged (a strip or tile of {size} pixels); export it again")
