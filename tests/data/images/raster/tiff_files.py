"""TIFF files written byte by byte, with one strip and any tags."""

import struct
from pathlib import Path

import numpy as np

HEIGHT, WIDTH = 70, 50
# The picture of these tests: all values from 0 to 1, not in the order of the rows.
SHARES = np.roll(np.linspace(0, 1, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH), 7, axis=1)
ASCII, SHORT, LONG = 2, 3, 4


def packed(values: np.ndarray, bits: int) -> bytes:
    """Rows of values (H, W) at `bits` each, the first in the high bits, each row filled up to whole bytes."""
    rows = []
    for row in values:
        text = "".join(f"{int(value):0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows.append(bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8)))
    return b"".join(rows)


def write_tiff(path: Path, tags: dict[int, list[int]], data: bytes, order: str = "<") -> None:
    """One strip of data with the tags, all of them SHORT; size and place of the strip are added."""
    ifd_at = 8 + len(data) + len(data) % 2
    entries = {code: (SHORT, values) for code, values in tags.items()}
    entries |= {256: (LONG, [WIDTH]), 257: (LONG, [HEIGHT]), 273: (LONG, [8])}
    entries |= {278: (LONG, [HEIGHT]), 279: (LONG, [len(data)])}
    mark = b"II*\0" if order == "<" else b"MM\0*"
    ifd = struct.pack(f"{order}H", len(entries))
    for code, (kind, values) in sorted(entries.items()):
        value = struct.pack(f"{order}{len(values)}{'H' if kind == SHORT else 'I'}", *values)
        assert len(value) <= 4, "values that lie outside the entry are not needed here"
        ifd += struct.pack(f"{order}HHI", code, kind, len(values)) + value.ljust(4, b"\0")
    start = mark + struct.pack(f"{order}I", ifd_at)
    path.write_bytes(start + data + b"\0" * (len(data) % 2) + ifd + struct.pack(f"{order}I", 0))
