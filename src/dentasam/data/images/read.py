"""Reading one radiograph as a grayscale array: PNG, JPEG and TIFF in `raster/`, DICOM in `dicom/`.

Pixels are taken as stored: the orientation tag of EXIF and TIFF is not applied, only reported (`orientation`). Their
values are spread over the range that the file's kind or its data show (`dentasam.model.core.gray_range`).
"""

from pathlib import Path

import numpy as np

from dentasam.data.images.header import ImageHeader
from dentasam.data.images.kind import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from dentasam.data.images.kind import kind_of
from dentasam.data.images.orientation import report_orientation
from dentasam.errors import ImageError
from dentasam.model.core.gray_range import spread

# A small file may claim a huge size and fill the memory when unpacked; panoramics have 1 to 10 megapixels.
PIXEL_LIMIT = 100_000_000


def read_image(path: str | Path) -> np.ndarray:
    """Reads a radiograph as (H, W) uint8 or uint16.

    Colour becomes luminance (Rec. 601) and alpha is dropped. 8-bit files keep their values. 10 to 15 bits in a file
    of 16 are spread over 16 bits; a file that uses them all keeps its values. DICOM files are scaled over their
    window or range, float and 32-bit ones over their range, so that nothing wraps. What had to be assumed is reported
    through `notices`. Raises ImageError for a file that is missing, empty, truncated, not an image, of several pages,
    or too large.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind == "DICOM":
        from dentasam.data.images.dicom.read import read_dicom

        return read_dicom(path)
    return spread(_read_raster(path, kind))


def read_header(path: str | Path) -> ImageHeader:
    """Size and bits of what `read_image` returns, without decoding the pixels. Raises ImageError as `read_image`."""
    path = Path(path)
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


def check_size(path: Path, height: int, width: int) -> None:
    """Raises ImageError where an image has no pixels or more than PIXEL_LIMIT."""
    if height < 1 or width < 1:
        raise ImageError(f"{path} has no pixels ({width} x {height}); export it again")
    if height * width > PIXEL_LIMIT:
        raise ImageError(
            f"{path} has {width} x {height} pixels, over {PIXEL_LIMIT // 1_000_000} megapixels; shrink it"
        )


def stretched(values: np.ndarray, low: float, high: float, full: int) -> np.ndarray:
    """Maps low…high onto 0…full and clips; uint8 for full 255, otherwise uint16. low = high gives 0."""
    dtype = np.uint8 if full == 255 else np.uint16
    if low == high:
        return np.zeros(values.shape, dtype)
    shares = (values.astype(np.float64) - low) / (high - low)
    return np.rint(np.clip(shares, 0.0, 1.0) * full).astype(dtype)


def _read_raster(path: Path, kind: str) -> np.ndarray:
    if kind == "TIFF":
        from dentasam.data.images.raster.tiff import read_tiff

        pixels, orientation = read_tiff(path)
    else:
        from dentasam.data.images.raster.pillow import read_jpeg, read_png

        pixels, orientation = read_png(path) if kind == "PNG" else read_jpeg(path)
    report_orientation(path, orientation)
    return pixels
