"""A NIfTI volume of one slice as a picture, and a picture as such a volume.

A volume's first axis is the picture's x, from left to right, and its second is y, from the top: nibabel's array is
(W, H) and is transposed. The affine of a picture is diag(-s, -s, 1), as ITK, 3D Slicer and ITK-SNAP write it: x runs
to the patient's left, and the origin is the first pixel.

When a volume is read, an axis is flipped where its affine says that the volume was reoriented: the axis runs the
other way, and its origin lies at the picture's far end. An affine without these (also the identity, which scripts
write) leaves the order of the voxels. One that is rotated against the axes is refused.
"""

from __future__ import annotations

import gzip
import logging
import os
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dentasam.data.formats.files.folders import write_png
from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.data.images.strips import are_finite, converted, strips
from dentasam.data.links import check_no_link_out
from dentasam.errors import DatasetError, ExtraError
from dentasam.files.regular_file import check_regular

SUFFIXES = (".nii", ".nii.gz")
# How far an axis may be from the world's, as a share of the voxel's size; affines are stored as 32-bit floats.
MAX_OBLIQUE = 1e-3
# A reoriented origin is this close to the far end, in voxels.
NEAR_END = 1.0
# Four bytes for each pixel that is allowed; values are held several times while they are converted.
MAX_VOXEL_BYTES = 4 * PIXEL_LIMIT
# The voxels follow the header and its extensions, which are texts.
MAX_OFFSET, NIFTI_2_BYTES = 16 << 20, 540
MAX_BYTE, MAX_WORD = 255, 65535
EXPORT_AGAIN = "export it again"


def is_nifti(path: Path) -> bool:
    """Whether a file has the suffix of a NIfTI volume."""
    return path.name.lower().endswith(SUFFIXES)


def without_suffix(name: str) -> str:
    """A volume's name without `.nii` or `.nii.gz`."""
    lowered = name.lower()
    suffix = next((suffix for suffix in (".nii.gz", ".nii") if lowered.endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def volume_bytes(picture: np.ndarray, mm_per_pixel: float | None) -> bytes:
    """A `.nii.gz` file of a picture (H, W) uint8 or uint16: (W, H, 1). The same picture gives the same bytes.

    Raises ExtraError without nibabel.
    """
    nibabel = require_nibabel()
    side = mm_per_pixel or 1.0
    volume = np.ascontiguousarray(picture.T[:, :, None])
    image = nibabel.Nifti1Image(volume, np.diag([-side, -side, 1.0, 1.0]))
    # Level 6 is a fifth of the time of level 9, for label images of the same size.
    return gzip.compress(image.to_bytes(), 6, mtime=0)


def volume_size(path: Path) -> tuple[int, int]:
    """Height and width of a volume of one slice, from its header. Raises DatasetError, ExtraError."""
    return _size(path, _opened(path))


def read_volume(path: Path) -> np.ndarray:
    """The picture (H, W) in a volume of one slice, of any real type.

    Raises DatasetError for several slices, colours, NaN, a rotated affine, and a file that is damaged or too large;
    ExtraError without nibabel.
    """
    image = _opened(path)
    height, width = _size(path, image)
    flips = _flips(path, image, (width, height))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = np.asanyarray(image.dataobj)
    except Exception as error:
        raise _damaged(path, error) from None
    if values.dtype.kind not in "uif":
        raise DatasetError(f"{path} holds colours or complex numbers; save it as whole numbers")
    if not are_finite(values):
        raise DatasetError(f"{path} holds NaN or infinite values; replace them and {EXPORT_AGAIN}")
    picture = values.reshape(width, height)
    for axis, flipped in enumerate(flips):
        if flipped:
            picture = np.flip(picture, axis)
    return np.ascontiguousarray(picture.T)


def read_label_volume(file: Path) -> np.ndarray:
    """The labels (H, W) in a volume of one slice, as unsigned integers of the fewest bits that hold them.

    Raises DatasetError where one is negative, not whole or too large, and as `read_volume`.
    """
    values = read_volume(file)
    if not _are_whole(values):
        raise DatasetError(f"{file} has values that are not whole numbers; save the labels as integers")
    if values.size and (values.min() < 0 or values.max() >= 2**31):
        raise DatasetError(
            f"{file} has labels from {values.min():g} to {values.max():g}; use whole numbers from 0 on"
        )
    return values.astype(np.min_scalar_type(int(values.max())) if values.size else np.uint8, copy=False)


def write_radiograph(volume: Path, target: Path, report: Callable[[str], None]) -> None:
    """Writes a radiograph in a volume as PNG of 8 or 16 bits, with the same values where they fit.

    report: takes a line where they were scaled. Raises DatasetError and ExtraError as `read_volume`.
    """
    values = read_volume(volume)
    low, high = values.min(), values.max()
    if _are_whole(values) and low >= 0 and high <= MAX_WORD:
        pixels = values.astype(np.uint8 if high <= MAX_BYTE else np.uint16)
    else:
        report(f"{volume} has values from {low:g} to {high:g}, which were scaled to 16 bits")
        span = float(high) - float(low) or 1.0
        pixels = converted(
            values,
            np.uint16,
            lambda part: np.round((part.astype(np.float64) - float(low)) * (MAX_WORD / span)),
        )
    write_png(target, pixels)


def _are_whole(values: np.ndarray) -> bool:
    flat = values.reshape(-1)
    return values.dtype.kind in "ui" or all(
        bool((flat[strip] == np.round(flat[strip])).all()) for strip in strips(flat.size)
    )


def volumes_under(folder: Path) -> list[Path]:
    """The NIfTI files in a folder and its subfolders, sorted."""
    return sorted(
        Path(place) / name
        for place, _, names in os.walk(folder)
        for name in names
        if is_nifti(Path(name)) and not name.startswith(".")
    )


def _opened(path: Path) -> Any:
    check_no_link_out(path)
    nibabel = require_nibabel()
    try:
        with warnings.catch_warnings(), _without_log():
            warnings.simplefilter("ignore")
            _check_start(path)
            image = nibabel.load(path)
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist; check the path") from None
    except DatasetError:
        raise
    except Exception as error:
        # A cut or crafted file makes nibabel and zlib raise almost any exception.
        raise _damaged(path, error) from None
    return image


def _check_start(path: Path) -> None:
    """Raises DatasetError where a small packed file would unpack to much before its voxels: nibabel does not look."""
    check_regular(path)
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        head = file.read(NIFTI_2_BYTES + 4)
        order = "<" if head[:4] in (struct.pack("<i", 348), struct.pack("<i", NIFTI_2_BYTES)) else ">"
        is_second = len(head) > 172 and struct.unpack_from(f"{order}i", head)[0] == NIFTI_2_BYTES
        if len(head) < 352:
            return
        offset = struct.unpack_from(f"{order}q", head, 168)[0] if is_second else _whole(head, order)
        at = (NIFTI_2_BYTES if is_second else 348) + 4
        has_extensions = head[at - 4] != 0
        while has_extensions and at + 16 <= offset <= MAX_OFFSET:
            file.seek(at)
            size = int.from_bytes(file.read(4), "little" if order == "<" else "big", signed=True)
            if not 8 <= size <= MAX_OFFSET:
                offset = MAX_OFFSET + 1
            at += size
        if offset > MAX_OFFSET:
            raise DatasetError(f"{path} has over {MAX_OFFSET >> 20} MB before its voxels; {EXPORT_AGAIN}")


def _whole(head: bytes, order: str) -> int:
    """The place of the voxels in a NIfTI-1 file, which states it as a float; beyond the limit for infinity or NaN."""
    offset: float = struct.unpack_from(f"{order}f", head, 108)[0]
    return int(offset) if abs(offset) <= MAX_OFFSET else MAX_OFFSET + 1


@contextmanager
def _without_log() -> Iterator[None]:
    """nibabel writes to stderr what is odd in a header; what matters here is raised."""
    log = logging.getLogger("nibabel.global")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def _size(path: Path, image: Any) -> tuple[int, int]:
    shape = tuple(image.shape)
    if len(shape) < 2 or any(count != 1 for count in shape[2:]):
        shown = " x ".join(map(str, shape))
        raise DatasetError(f"{path} is a stack ({shown} voxels), not one radiograph; save one slice as (W, H, 1)")
    width, height = shape[0], shape[1]
    if width < 1 or height < 1 or width * height > PIXEL_LIMIT:
        raise DatasetError(f"{path} has {width}x{height} pixels; {EXPORT_AGAIN}")
    size = width * height * image.get_data_dtype().itemsize
    if size > MAX_VOXEL_BYTES:
        raise DatasetError(f"{path} has {size // 1_000_000} MB of voxels; save it with 8 or 16 bits")
    return height, width


def _flips(path: Path, image: Any, shape: tuple[int, int]) -> tuple[bool, bool]:
    """Whether each of the two axes, x and y, runs the other way."""
    header = image.header
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        return False, False  # it states no orientation
    affine = np.asarray(image.affine, np.float64)
    if not np.isfinite(affine).all():
        raise DatasetError(f"{path} has an affine that is not finite; {EXPORT_AGAIN}")
    columns = affine[:3, :2]  # (world, axis)
    sides = np.linalg.norm(columns, axis=0)
    along = np.abs(columns).argmax(axis=0)
    rest = np.abs(columns).copy()
    rest[along, [0, 1]] = 0
    if (sides == 0).any() or along[0] == along[1] or (rest > MAX_OBLIQUE * sides).any():
        raise DatasetError(
            f"{path} has an affine that is rotated against its axes; resample it to the picture's axes"
        )
    first, second = (
        bool(
            columns[world, axis] > 0
            and count > 1
            and abs(affine[world, 3] + (count - 1) * sides[axis]) <= NEAR_END * sides[axis]
        )
        for axis, (world, count) in enumerate(zip(along.tolist(), shape, strict=True))
    )
    return first, second


def _damaged(path: Path, error: Exception) -> DatasetError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return DatasetError(f"{path} is not a NIfTI file that can be read ({reason:.200}); {EXPORT_AGAIN}")


def require_nibabel() -> Any:
    """The package nibabel. Raises ExtraError where it is not installed."""
    try:
        import nibabel
    except ImportError:
        raise ExtraError("NIfTI needs the package nibabel; pip install 'dentasam[nifti]'") from None
    return nibabel
