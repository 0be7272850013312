"""The samples of a mask or label TIFF as its file stores them; values and indices are not scaled for display."""

from pathlib import Path

import numpy as np
from tifffile import PHOTOMETRIC

from dentasam.data.formats.files.samples import Samples
from dentasam.data.images.raster.tiff import read_planes
from dentasam.errors import DatasetError

SAVE_AGAIN = "save it as 8- or 16-bit grayscale, 0 for the ground"
MAX_VALUE = 65535
READ = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.PALETTE, PHOTOMETRIC.RGB)
# Palettes of TIFF have 16 bits.
PER_BYTE = 257


def read_tiff_samples(path: Path) -> Samples:
    """Reads a TIFF of integers, or of other numbers that are whole, from 0 to 65535.

    Raises ImageError for a file that cannot be read, DatasetError where its values are not labels: fractions,
    negative numbers, inks.
    """
    planes, given = read_planes(path)
    if given.photometric not in READ:
        raise DatasetError(f"{path} holds {PHOTOMETRIC(given.photometric).name} samples; {SAVE_AGAIN}")
    colours = 3 if given.rgb else 1
    if len(planes) > colours + 1:
        raise DatasetError(f"{path} has {len(planes)} channels; {SAVE_AGAIN}")
    whole = _whole(path, planes)
    values = np.moveaxis(whole[:3], 0, -1) if given.rgb else whole[0]
    palette = None if given.colours is None else (given.colours // PER_BYTE).astype(np.uint8)
    alpha = whole[colours] if len(planes) > colours else None
    bits = given.depth if given.unsigned else 16
    inverted = given.photometric == PHOTOMETRIC.MINISWHITE
    return Samples(np.ascontiguousarray(values), bits, palette, alpha, inverted)


def _whole(path: Path, planes: np.ndarray) -> np.ndarray:
    """The samples as unsigned integers of 8 or 16 bits."""
    if planes.dtype.kind == "b":
        return planes.astype(np.uint8)
    if planes.dtype.kind == "u" and planes.dtype.itemsize <= 2:
        return planes
    low, high = planes.min(), planes.max()
    # NaN is in no range.
    if not (low >= 0 and high <= MAX_VALUE):
        raise DatasetError(f"{path} has values that are not from 0 to {MAX_VALUE}; {SAVE_AGAIN}")
    whole = planes.astype(np.uint16)
    if not (whole == planes).all():
        raise DatasetError(f"{path} has values that are not whole numbers; {SAVE_AGAIN}")
    return whole
