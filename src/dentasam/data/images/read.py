"""Reading one radiograph as a grayscale array: PNG, JPEG and TIFF in `raster/`, DICOM in `dicom/`.

Pixels are taken as stored: the orientation tag of EXIF and TIFF is not applied, only reported (`orientation`). Their
values are spread over the range that the file's kind or data suggest (`dentasam.model.core.gray_range`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from dentasam.data.images.header import ImageHeader
from dentasam.data.images.kind import kind_of
from dentasam.data.images.orientation import report_orientation
from dentasam.documents.shown import MAX_REASON, cut, printable
from dentasam.errors import DentasamError, ImageError
from dentasam.model.core.gray_range import spread


def read_image(path: str | Path) -> np.ndarray:
    """Reads a radiograph as (H, W) uint8 or uint16.

    Colour becomes luminance (Rec. 601) and alpha is dropped. 8-bit files keep their values. 10 to 15 bits in a file
    of 16 are spread over 16 bits; a file that uses them all keeps its values. DICOM files are scaled over their
    window or range, float and 32-bit ones over their range, so that nothing wraps. Assumptions are reported through
    `notices`. Raises ImageError for a file that is missing, empty, truncated, not an image, of several pages,
    or too large.
    """
    path = Path(path)
    with _errors_named(path):
        kind = kind_of(path)
        if kind == "DICOM":
            from dentasam.data.images.dicom.read import read_dicom

            return read_dicom(path)
        return spread(_read_raster(path, kind))


def read_header(path: str | Path) -> ImageHeader:
    """Size and bits of what `read_image` returns, without decoding the pixels. Raises ImageError as `read_image`."""
    path = Path(path)
    with _errors_named(path):
        kind = kind_of(path)
        if kind == "DICOM":
            from dentasam.data.images.dicom.read import dicom_header

            return dicom_header(path)
        if kind == "TIFF":
            from dentasam.data.images.raster.tiff import tiff_header

            return tiff_header(path)
        from dentasam.data.images.raster.pillow import jpeg_header, png_header

        return png_header(path) if kind == "PNG" else jpeg_header(path)


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of a radiograph in pixels, from its header. Raises ImageError as `read_image`."""
    header = read_header(path)
    return header.height, header.width


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """Any error of a reader as an ImageError: a bent file of somebody else ends neither a listing nor a run."""
    try:
        yield
    except DentasamError:
        raise
    except MemoryError:
        raise ImageError(f"{path} needs more memory than there is; shrink it") from None
    except Exception as error:
        # Libraries raise almost anything, such as KeyError and RecursionError, for what they did not expect.
        reason = cut(printable(" ".join(str(error).split())), MAX_REASON)
        named = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
        raise ImageError(f"{path} is damaged or not an image that can be read ({named}); export it again") from None


def _read_raster(path: Path, kind: str) -> np.ndarray:
    if kind == "TIFF":
        from dentasam.data.images.raster.tiff import read_tiff

        pixels, orientation = read_tiff(path)
    else:
        from dentasam.data.images.raster.pillow import read_jpeg, read_png

        pixels, orientation = read_png(path) if kind == "PNG" else read_jpeg(path)
    report_orientation(path, orientation)
    return pixels
