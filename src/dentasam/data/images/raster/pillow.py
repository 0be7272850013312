"""Reading PNG and JPEG with Pillow; PNG of several 16-bit channels, which Pillow reduces to 8, with libpng."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from dentasam.data.images.grayscale import luminance
from dentasam.data.images.header import ImageHeader
from dentasam.data.images.raster.markers import (
    PNG_GRAY,
    PngChunks,
    check_scans,
    jpeg_coding,
    jpeg_is_whole,
    orientation_of,
    png_chunks,
)
from dentasam.data.images.size_limit import PIXEL_LIMIT, check_size
from dentasam.data.images.strips import combined
from dentasam.errors import ImageError

# As many as make the calls of Pillow for a strip cheap.
STRIP_PIXELS = 1 << 20
# Pillow warns from 89 megapixels on; the limit here is stricter than its own, and raises.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def read_png(path: Path) -> tuple[np.ndarray, int]:
    """The picture (H, W) uint8, or uint16 for 16 bits, and its orientation.

    Raises ImageError for animations and damaged files.
    """
    chunks = _checked_chunks(path)
    with _opened(path, "PNG") as image:
        image.load()
        if chunks.depth == 16 and chunks.colour_type != PNG_GRAY:
            # Pillow has checked the file; its pixels of 8 bits are not needed.
            image.close()
            return _wide_luminance(path), orientation_of(chunks.exif)
        return _gray(image), orientation_of(chunks.exif)


def png_header(path: Path) -> ImageHeader:
    """What `read_png` will return, from the chunks. Raises ImageError as `read_png`, for a cut file too."""
    chunks = _checked_chunks(path)
    with _opened(path, "PNG") as image:
        if not chunks.whole:
            # It may lack no more than a checksum: decoding decides.
            image.load()
        bits = 16 if chunks.depth == 16 else 8
        return ImageHeader(image.height, image.width, bits, orientation=orientation_of(chunks.exif))


def read_jpeg(path: Path) -> tuple[np.ndarray, int]:
    """The picture (H, W) uint8 and its orientation. Raises ImageError for codings not read and for damaged files."""
    with _opened(path, "JPEG") as image:
        _check_scans(path, image)
        image.load()
        return _gray(image), orientation_of(image.info.get("exif", b""))


def jpeg_header(path: Path) -> ImageHeader:
    """What `read_jpeg` will return, from the markers. Raises ImageError as `read_jpeg`, for a cut file too."""
    with _opened(path, "JPEG") as image:
        if not jpeg_is_whole(path):
            _check_scans(path, image)
            image.load()
        return ImageHeader(image.height, image.width, 8, orientation=orientation_of(image.info.get("exif", b"")))


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[Image.Image]:
    """The file opened by Pillow, its size checked; any error inside the block becomes an ImageError."""
    if kind == "JPEG":
        coding = jpeg_coding(path)
        if coding is not None:
            raise ImageError(f"{path} is a JPEG file of a kind that is not read ({coding}); save it as a 16-bit PNG")
    try:
        with Image.open(path, formats=(kind,)) as image:
            check_size(path, image.height, image.width)
            yield image
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"{path} has more than {PIXEL_LIMIT // 1_000_000} megapixels; shrink it") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path} is damaged or truncated (it starts as {kind}); copy it again") from None
    except MemoryError:
        raise ImageError(f"{path} needs more memory than there is; shrink it") from None
    except Exception as error:
        # Decoders raise exceptions of many types on a damaged file: OSError, SyntaxError, struct.error…
        reason = " ".join(str(error).split()) or type(error).__name__
        if "MAX_TEXT_" in reason:
            raise ImageError(
                f"{path} holds a text or colour profile that is too long; save it again without it"
            ) from None
        raise ImageError(f"{path} is damaged or truncated ({reason}); copy it again") from None


def _check_scans(path: Path, image: Image.Image) -> None:
    # Scans of a baseline file hold all pixels each, so that many make a large file.
    if "progressive" in image.info:
        check_scans(path)


def _checked_chunks(path: Path) -> PngChunks:
    chunks = png_chunks(path)
    if chunks.frames > 1:
        raise ImageError(f"{path} is an animation of {chunks.frames} frames; save the radiograph as a plain PNG")
    return chunks


def _gray(image: Image.Image) -> np.ndarray:
    # Transparency is dropped; Pillow warns of what it would lose.
    image.info.pop("transparency", None)
    return samples_of(image, _gray_part)


def _gray_part(part: Image.Image) -> np.ndarray:
    if part.mode.startswith("I"):
        return np.asarray(part).astype(np.uint16)
    colour = part.convert("RGB") if part.mode in ("P", "PA", "CMYK") else part
    return np.asarray(colour.convert("L"))


def samples_of(image: Image.Image, convert: Callable[[Image.Image], np.ndarray] = np.asarray) -> np.ndarray:
    """`convert` of a loaded image, as one array (H, W, …) of its own; convert maps each pixel by itself.

    It goes through the image in strips of rows: Pillow copies an image several times to hand it over.
    """
    rows = max(1, STRIP_PIXELS // image.width)
    result: np.ndarray | None = None
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        part = convert(image.crop((0, top, image.width, bottom)))
        if result is None:
            result = np.empty((image.height, *part.shape[1:]), part.dtype)
        result[top:bottom] = part
    assert result is not None, "an image has at least one row"
    return result


def wide_channels(path: Path) -> np.ndarray:
    """The channels (H, W, 2 to 4) uint16 of a PNG that has several of 16 bits, as stored; raises what libpng does."""
    import imagecodecs

    pixels = imagecodecs.png_decode(path.read_bytes())
    return np.asarray(pixels.reshape(*pixels.shape[:2], -1))


def _wide_luminance(path: Path) -> np.ndarray:
    pixels = wide_channels(path)
    if pixels.shape[2] < 3:
        return np.ascontiguousarray(pixels[..., 0])
    red_first = np.moveaxis(pixels[..., :3], -1, 0)
    return combined(red_first, np.uint16, lambda part: np.rint(luminance(part.astype(np.float64))))
