"""Reading the JSON of other tools: files in the encodings that they write, and values that may be of any type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dentasam.data.links import check_no_link_out
from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import read_dataset_json
from dentasam.documents.values import finite
from dentasam.errors import DatasetError


def read_json(path: Path) -> Any:
    """The content of a JSON file in UTF-8, or in UTF-16 with a byte order mark. Raises DatasetError."""
    try:
        check_no_link_out(path)
        return read_dataset_json(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from None
    except DocumentError as error:
        if error.empty:
            raise DatasetError(f"{path} is empty; export it again") from None
        raise DatasetError(f"{path} is not readable JSON ({error}); export it again") from None


def number_of(value: object, name: str) -> float:
    """A finite number. Raises ValueError with the reason; name: as in `its width`."""
    if type(value) not in (int, float):
        raise ValueError(f"{name} is not a number")
    number = finite(value)
    if number is None:
        raise ValueError(f"{name} is NaN or infinite")
    return number


def points_of(value: object, reach: float) -> np.ndarray:
    """Points (N, 2) from a list of [x, y]. Raises ValueError with the reason, as for one beyond `reach`."""
    if not isinstance(value, list) or not all(isinstance(point, list) and len(point) == 2 for point in value):
        raise ValueError("its points are not a list of x, y")
    flat = [coordinate for point in value for coordinate in point]
    if not set(map(type, flat)) <= {int, float}:
        raise ValueError("its points are not a list of x, y")
    try:
        points = np.array(flat, np.float64).reshape(-1, 2)
    except OverflowError:
        raise ValueError("a point lies far outside the image") from None
    if not np.isfinite(points).all():
        raise ValueError("a coordinate is NaN or infinite")
    if points.size and np.abs(points).max() > reach:
        raise ValueError("a point lies far outside the image")
    return points


def size_from(height: object, width: object) -> tuple[int, int] | None:
    """Height and width in pixels that a source gives, None where it gives none. Raises ValueError for no size."""
    if height is None or width is None:
        return None
    size = number_of(height, "its image height"), number_of(width, "its image width")
    if min(size) < 1 or any(value != int(value) for value in size):
        raise ValueError("its image size is not in whole pixels")
    return int(size[0]), int(size[1])
