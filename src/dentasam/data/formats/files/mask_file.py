"""The mask in a PNG or TIFF of one object, and the values in a label image.

A mask is white on black in the plain case. Other tools write the object into the alpha channel, as a palette's
indices, or with grays at its edge. Each of these is read in one way, or refused with the reason: a file whose colour
and transparency mark different pixels is ambiguous.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from dentasam.data.formats.files.png_samples import read_samples
from dentasam.data.formats.files.samples import Samples
from dentasam.data.formats.files.tiff_samples import read_tiff_samples
from dentasam.data.images.kind import kind_of
from dentasam.data.images.read import image_size
from dentasam.data.links import check_no_link_out
from dentasam.errors import DatasetError

# JPEG and resampling leave values this close to black and white, of 255.
MAX_DEVIATION = 3
# Pixels that are compared at once, with wider numbers in between.
STRIP_PIXELS = 1 << 20
SUFFIXES = (".png", ".tif", ".tiff")


def samples_of(path: Path) -> Samples:
    """The samples of a PNG or TIFF as stored. Raises ImageError for any other file, DatasetError as its reader."""
    check_no_link_out(path)
    return read_tiff_samples(path) if kind_of(path) == "TIFF" else read_samples(path)


def stored_size(path: Path) -> tuple[int, int]:
    """Height and width of what `samples_of` would read, from the header: a small file may unpack to gigabytes.

    Raises ImageError for a file that cannot be read.
    """
    check_no_link_out(path)
    return image_size(path)


def read_mask(path: Path) -> tuple[np.ndarray, bool]:
    """The mask (H, W) bool of one object, and whether grays between black and white were thresholded at half.

    Raises ImageError for a file that cannot be read, DatasetError where it is ambiguous which pixels are the object.
    """
    samples = samples_of(path)
    if samples.white_is_zero:
        raise DatasetError(
            f"{path} stores white as 0, so that object and ground may be exchanged; save the mask as white on black"
        )
    if samples.alpha is None:
        return _by_value(path, samples)
    alpha = samples.alpha
    opaque = alpha > alpha.max() // 2
    try:
        shown, cut = _by_value(path, samples)
    except DatasetError:
        if _is_one(opaque):
            raise
        return opaque, False
    if _is_one(opaque):
        return shown, cut
    if _is_one(shown):
        return opaque, False
    # At a soft edge the two may differ.
    hard = (alpha == 0) | (alpha == alpha.max())
    if not ((shown != opaque) & hard).any():
        return opaque, cut
    raise DatasetError(
        f"{path}: its colour and its alpha channel show different objects; save the mask in one of them, "
        "as white on black without transparency"
    )


def read_labels(path: Path) -> np.ndarray:
    """The values (H, W) of a label image as stored, a palette's indices.

    Raises ImageError for a file that cannot be read, DatasetError for one in colour or with transparent labels.
    """
    samples = samples_of(path)
    values = samples.values
    if values.ndim == 3:
        if not all((part == part[..., :1]).all() for part in _strips(values)):
            raise DatasetError(f"{path} is a colour image; save the labels as 8- or 16-bit grayscale")
        values = np.ascontiguousarray(values[..., 0])
    if samples.palette is None and samples.alpha is not None:
        if ((samples.alpha == 0) & (values > 0)).any():
            raise DatasetError(f"{path} has labels that are transparent; save the labels as grayscale without alpha")
        if not _is_one(samples.alpha > 0) and np.ptp(values) == 0:
            raise DatasetError(
                f"{path} has values in its alpha channel alone; save the labels as grayscale without alpha"
            )
    return values


def _by_value(path: Path, samples: Samples) -> tuple[np.ndarray, bool]:
    if samples.palette is not None:
        return _by_index(path, samples.values, samples.palette), False
    near = samples.full * MAX_DEVIATION // 255
    values = samples.values
    if values.ndim == 3:
        _check_one_colour(path, values, near)
        values = values.max(axis=2)
    found = levels(values)
    ground, top = int(found[0]), int(found[-1])
    if ground > near and ground < top:
        raise DatasetError(f"{path} has no black pixel, so ground and object look alike; save it as white on black")
    if len(found) == 1 or top <= near or samples.bits < 8:
        # Levels, if any, and no shades.
        return values > 0, False
    if len(found) == 2:
        return values > ground, False
    if any(((part > near) & (part < top - near) & flat).any() for part, flat in _flat_strips(values)):
        raise DatasetError(
            f"{path} has grey areas between black and its brightest value; save a file per object, white on black"
        )
    return values > top // 2, True


def _check_one_colour(path: Path, colours: np.ndarray, near: int) -> None:
    """Raises DatasetError where the areas of colours (H, W, 3) have more than one colour beside black."""
    if all((part == part[..., :1]).all() for part in _strips(colours)):
        return
    first = other = np.zeros(0, np.int64)
    lowest, highest, furthest = np.full(3, 1 << 16), np.zeros(3, np.int64), 0
    for part, flat in _flat_strips(colours):
        areas = part[(part.max(axis=2) > near) & flat.all(axis=2)].astype(np.int64)
        if not len(areas):
            continue
        lowest, highest = np.minimum(lowest, areas.min(axis=0)), np.maximum(highest, areas.max(axis=0))
        first = first if len(first) else areas[0]
        distances = np.abs(areas - first).max(axis=1)
        if distances.max() > furthest:
            furthest, other = int(distances.max()), areas[distances.argmax()]
    if (highest - lowest > 2 * near).any():
        raise DatasetError(
            f"{path} has areas of different colours ({_shown(first)} and {_shown(other)}), so object and ground "
            "cannot be told apart; save a file per object, white on black"
        )


def _shown(colour: np.ndarray) -> str:
    return f"RGB {' '.join(map(str, colour.tolist()))}"


def levels(values: np.ndarray) -> np.ndarray:
    """The values that occur in an array (H, W) uint8 or uint16, ascending; np.unique would sort all pixels."""
    used = np.zeros(1 << 8 * values.dtype.itemsize, bool)
    for part in _strips(values):
        used[part] = True
    return np.flatnonzero(used)


def _strips(values: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of an array (H, W, …), some at a time."""
    return (values[top:bottom] for top, bottom in _rows(values))


def _flat_strips(values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows of an array (H, W, …), some at a time, with where they are flat (see `_is_flat`)."""
    for top, bottom in _rows(values):
        above = min(top, 1)
        flat = _is_flat(values[top - above : bottom + 1])
        yield values[top:bottom], flat[above : above + bottom - top]


def _rows(values: np.ndarray) -> Iterator[tuple[int, int]]:
    at_once = max(1, STRIP_PIXELS // values.shape[1])
    return ((top, min(top + at_once, len(values))) for top in range(0, len(values), at_once))


def _is_flat(values: np.ndarray) -> np.ndarray:
    """Where all of a pixel's neighbours have its value, in each channel: inside an area, not at an edge."""
    wide = values.astype(np.uint16)
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.erode(wide, kernel) == cv2.dilate(wide, kernel))


def _by_index(path: Path, indices: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Index 0 is the ground, whatever its colour."""
    used = levels(indices)
    if len(used) > 1 and used[0] > 0:
        raise DatasetError(f"{path}: no pixel has the palette's index 0, the ground; save the mask as white on black")
    colours = palette[used[used < len(palette)]]
    black, white = (colours == 0).all(axis=1), (colours == 255).all(axis=1)
    if len(used) > 1 and white[0] and (black | white).all():
        raise DatasetError(
            f"{path}: its palette has white as index 0, the ground, and black as the object; "
            "save the mask as white on black without a palette"
        )
    return indices > 0


def _is_one(mask: np.ndarray) -> bool:
    """Whether all pixels are the same, so that the mask holds no information."""
    return bool(mask.all() or not mask.any())
