"""Reading a single-frame DICOM radiograph as a device wrote it.

The order is the standard's (PS3.3 C.11): stored values → modality (rescale or LUT) → VOI (LUT or window) → display,
where MONOCHROME1 is inverted. Colour becomes luminance. Errors in the header that viewers tolerate are tolerated and
reported (`dentasam.data.notices`).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from dentasam.data.images.dicom.compression.decoders import missing_decoder
from dentasam.data.images.dicom.elements import Elements, UnreadableError
from dentasam.data.images.dicom.file import DicomFile, open_dicom
from dentasam.data.images.dicom.gray_levels.colour import palette_bits, palette_of
from dentasam.data.images.dicom.gray_levels.gray_picture import gray_picture
from dentasam.data.images.dicom.gray_levels.windowing import voi_table, window_of
from dentasam.data.images.dicom.layout import PALETTE, Layout, layout_of
from dentasam.data.images.dicom.pixels import check_pixels, read_cells
from dentasam.data.images.dicom.spacing import mm_per_pixel
from dentasam.data.images.header import ImageHeader
from dentasam.data.images.strips import are_finite
from dentasam.data.notices import notice
from dentasam.errors import ImageError


def read_dicom(path: Path) -> np.ndarray:
    """A single-frame DICOM file as (H, W): uint8 for 8 stored bits or fewer, otherwise uint16.

    12-bit data come scaled to the full 16 bits, over the VOI LUT or window where there is one and over the image's
    own range where there is none. Raises ImageError for several frames, missing or truncated pixel data, and a
    compression that is not read.
    """
    with _errors_named(path):
        # The header first: it refuses what is too large before that is in memory.
        _opened(path, pixels=False)
        file, elements, layout = _opened(path, pixels=True)
        decoded, photometric = read_cells(path, file, elements, layout)
        if not are_finite(decoded.samples):
            raise ImageError(f"{path} holds NaN or infinite pixels; replace them and export it again")
        return gray_picture(decoded, photometric, elements, layout)


def dicom_header(path: Path) -> ImageHeader:
    """What the header alone says, without the pixels. Raises ImageError where `read_dicom` rejects it."""
    with _errors_named(path):
        _, elements, layout = _opened(path, pixels=False)
        bits = palette_bits(palette_of(elements)) if layout.photometric == PALETTE else layout.stored
        windowed = not layout.is_colour and (voi_table(elements) is not None or window_of(elements) is not None)
        eight_or_sixteen = 8 if bits <= 8 else 16
        return ImageHeader(
            layout.rows, layout.columns, eight_or_sixteen, windowed, mm_per_pixel=mm_per_pixel(elements)
        )


def dicom_text(path: Path, tag: int) -> str | None:
    """The value of one element of the header as text; None where it is missing or empty.

    tag: group and element in one number, as 0x00100020. Raises ImageError where the file is not DICOM or damaged.
    """
    with _errors_named(path):
        element = open_dicom(path, pixels=False).dataset.get(tag)
        value = None if element is None else element.value
        if isinstance(value, bytes):
            value = value.decode("latin-1").strip("\0")
        return None if value is None else str(value).strip() or None


def _opened(path: Path, pixels: bool) -> tuple[DicomFile, Elements, Layout]:
    file = open_dicom(path, pixels)
    elements = Elements(file.dataset, partial(notice, path))
    layout = layout_of(path, elements)
    if file.is_compressed and (missing := missing_decoder(file.syntax)):
        raise ImageError(f"{path} {missing}")
    if not pixels:
        check_pixels(path, file, layout)
    return file, elements, layout


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        # pydicom warns of every odd value of a header; what matters here is reported or raised.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except UnreadableError as error:
        raise ImageError(f"{path} {error}; export it again") from None
    except Exception as error:
        # A crafted or cut file makes pydicom and its decoders raise almost any exception.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path} is damaged or truncated DICOM ({reason}); export it again") from None
