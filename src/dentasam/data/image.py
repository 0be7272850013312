"""Reading one radiograph as a grayscale array: PNG, JPEG and TIFF here, DICOM in `dicom/`.

Pixels are taken as stored: an EXIF orientation is not applied, since masks are drawn on the stored pixels.
"""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from dentasam.errors import ImageError

# A small file may claim a huge size and fill the memory when unpacked; panoramics have 1 to 10 megapixels.
PIXEL_LIMIT = 100_000_000
RASTER_FORMATS = ("PNG", "JPEG", "TIFF")
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom"})

# Pillow warns from 89 megapixels on; the limit here is stricter than its own, and raises.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

TIFF_BITS_PER_SAMPLE, TIFF_PHOTOMETRIC = 258, 262
LUMINANCE_BGR = np.array([0.114, 0.587, 0.299])


def read_image(path: str | Path) -> np.ndarray:
    """Reads a radiograph as (H, W) uint8 or uint16.

    Colour becomes luminance (Rec. 601) and alpha is dropped. 16-bit files keep their values; DICOM, float
    and 32-bit files are scaled over their window or range to the full width of the result, so that nothing
    wraps. Raises ImageError for a file that is missing, empty, truncated, no image, of several pages, or too
    large.
    """
    path = Path(path)
    if _is_dicom(path):
        from dentasam.data.dicom.read import read_dicom

        return read_dicom(path)
    with _opened(path) as image:
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        if pages > 1:
            raise ImageError(f"{path} holds {pages} pages; save the radiograph as a file of one page")
        image.load()
        if _has_wide_colour(path, image):
            return _wide_luminance(path)
        return _gray(path, image)


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of a radiograph in pixels, from its header. Raises ImageError as `read_image`."""
    path = Path(path)
    if _is_dicom(path):
        from dentasam.data.dicom.read import dicom_size

        return dicom_size(path)
    with _opened(path) as image:
        return image.height, image.width


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


def _is_dicom(path: Path) -> bool:
    if path.is_dir():
        raise ImageError(f"{path} is a folder; name an image file")
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist; check the path") from None
    except (OSError, ValueError) as fault:
        raise ImageError(f"{path} cannot be opened ({fault}); check the path and its permissions") from None
    if not head:
        raise ImageError(f"{path} is empty; copy it again from its source")
    # Old devices write DICOM without the preamble; there only the suffix tells.
    return head[128:] == b"DICM" or path.suffix.lower() in (".dcm", ".dicom")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The file opened by Pillow, its size checked; any fault inside the block becomes an ImageError."""
    try:
        with Image.open(path, formats=RASTER_FORMATS) as image:
            check_size(path, image.height, image.width)
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{path} is not a PNG, JPEG, TIFF or DICOM image; convert it to one") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{path} has more than {PIXEL_LIMIT // 1_000_000} megapixels; shrink it") from None
    except Exception as fault:
        # Decoders raise whatever comes to hand on a damaged file: OSError, SyntaxError, struct.error…
        raise ImageError(f"{path} is damaged or truncated ({_reason(fault)}); copy it again") from None


def _reason(fault: Exception) -> str:
    return " ".join(str(fault).split()) or type(fault).__name__


def _has_wide_colour(path: Path, image: Image.Image) -> bool:
    """Whether the file has several channels of 16 bits, which Pillow would cut to 8."""
    if image.format == "PNG":
        with path.open("rb") as file:
            depth, colour_type = struct.unpack("BB", file.read(26)[24:])
        return bool(depth == 16 and colour_type != 0)
    if image.format == "TIFF":
        bits = image.tag_v2.get(TIFF_BITS_PER_SAMPLE, ())  # type: ignore[attr-defined]
        return len(bits) > 1 and max(bits) > 8
    return False


def _wide_luminance(path: Path) -> np.ndarray:
    import cv2

    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ImageError(f"{path} cannot be decoded; save it as a grayscale PNG")
    if pixels.dtype != np.uint16:
        raise ImageError(f"{path} has {pixels.dtype} colour channels; save it as an 8- or 16-bit grayscale PNG")
    if pixels.ndim == 2:
        return np.asarray(pixels)
    if pixels.shape[2] < 3:
        return np.ascontiguousarray(pixels[..., 0])
    return np.rint(pixels[..., :3].astype(np.float64) @ LUMINANCE_BGR).astype(np.uint16)


def _gray(path: Path, image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16"):
        gray = np.asarray(image).astype(np.uint16)
    elif image.mode in ("I", "F"):
        gray = _fitted(path, np.asarray(image))
    else:
        # A palette may carry transparency, which a direct conversion to L would warn of.
        colour = image.convert("RGB") if image.mode in ("P", "PA") else image
        return np.array(colour.convert("L"))
    white_is_zero = image.format == "TIFF" and image.tag_v2.get(TIFF_PHOTOMETRIC) == 0  # type: ignore[attr-defined]
    return np.iinfo(gray.dtype).max - gray if white_is_zero else gray


def _fitted(path: Path, values: np.ndarray) -> np.ndarray:
    """Wide integers that fit 16 bits as they are; other integers and floats stretched over their range."""
    if not np.isfinite(values).all():
        raise ImageError(f"{path} holds NaN or infinite pixels; replace them and save it again")
    low, high = values.min(), values.max()
    if values.dtype.kind == "i" and low >= 0 and high <= 65535:
        return values.astype(np.uint16)
    return stretched(values, float(low), float(high), 65535)
