"""The weights of a graph, in its file or in files beside it, looked through in strips before they are loaded.

A file may be sparse: it states any size and takes no space. So what files say of themselves is bounded, and only
strips that hold something count as weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dentasam.files.regular_file import check_regular, open_regular

# The largest encoder has 2.6 GB of weights.
MAX_BYTES = 3 << 30
# Of protobuf: what is larger has its weights beside it.
MAX_GRAPH_BYTES = 2 << 30
STRIP_BYTES = 4 << 20


class NotFiniteError(Exception):
    """A weight, of the name that this holds, has a NaN or an infinity."""


def too_large(size: int, limit: int) -> str:
    """The reason why a file is not read, in words."""
    return f"{size / 1e9:,.1f} GB are more than the {limit / 1e9:.1f} of the largest export"


def is_beside(tensor: Any) -> bool:
    """Whether a tensor's numbers are in a file beside the graph."""
    import onnx

    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


def file_beside(tensor: Any, folder: Path) -> Path:
    """The file that holds a tensor's numbers. Raises ValueError where it is not in the folder itself, and OSError."""
    places = [entry.value for entry in tensor.external_data if entry.key == "location"]
    if len(places) != 1 or not places[0] or Path(places[0]).name != places[0] or (folder / places[0]).is_symlink():
        raise ValueError("weights in a file of another folder")
    check_regular(folder / places[0])
    return folder / places[0]


def check_sizes_beside(tensors: list[Any], folder: Path) -> None:
    """Raises ValueError where the files beside a graph are too large or hold less than tensors state, and OSError."""
    stated: Counter[Path] = Counter()
    for tensor in tensors:
        if is_beside(tensor):
            stated[file_beside(tensor, folder)] += _bytes_stated(tensor)
    sizes = {file: file.stat().st_size for file in stated}
    if sum(sizes.values()) > MAX_BYTES:
        raise ValueError(too_large(sum(sizes.values()), MAX_BYTES))
    for file, size in sizes.items():
        # No two weights of an export share their numbers.
        if stated[file] > size:
            raise ValueError(f"{file.name} holds fewer numbers than its weights state")


def bytes_of_weights(weights: list[Any], folder: Path) -> int:
    """Bytes of all weights, without strips that hold zeros alone.

    Raises NotFiniteError for a weight that holds a NaN or an infinity, and what onnx and numpy raise for a bent one.
    """
    from onnx.helper import tensor_dtype_to_np_dtype

    held = 0
    for weight in weights:
        type = np.dtype(tensor_dtype_to_np_dtype(weight.data_type))
        for strip in _strips(weight, folder):
            if not strip.any():
                continue
            held += strip.nbytes
            if type.kind == "f" and not np.isfinite(strip.view(type)).all():
                raise NotFiniteError(str(weight.name))
    return held


def _strips(weight: Any, folder: Path) -> Iterator[np.ndarray]:
    """The bytes of a weight, some of them at a time; a number is never cut."""
    from onnx.numpy_helper import to_array

    if not is_beside(weight):
        # Bytes as they are in the file, little-endian; else the numbers of a list.
        raw = weight.raw_data if weight.HasField("raw_data") else np.ascontiguousarray(to_array(weight)).tobytes()
        whole = np.frombuffer(raw, np.uint8)
        yield from (whole[start : start + STRIP_BYTES] for start in range(0, len(whole), STRIP_BYTES))
        return
    given = {entry.key: entry.value for entry in weight.external_data}
    left = _bytes_stated(weight)
    offset = int(given.get("offset", 0))
    if offset < 0 or int(given.get("length", left)) != left:
        raise ValueError(f"bytes {offset} and {given.get('length')} of a file beside it")
    with open_regular(file_beside(weight, folder)) as file:
        file.seek(offset)
        while left:
            strip = file.read(min(left, STRIP_BYTES))
            if len(strip) < min(left, STRIP_BYTES):
                raise ValueError("a file beside it ends before its numbers")
            left -= len(strip)
            yield np.frombuffer(strip, np.uint8)


def _bytes_stated(tensor: Any) -> int:
    from onnx.helper import tensor_dtype_to_np_dtype

    numbers = 1
    for side in tensor.dims:
        numbers *= int(side)
    return numbers * int(np.dtype(tensor_dtype_to_np_dtype(tensor.data_type)).itemsize)
