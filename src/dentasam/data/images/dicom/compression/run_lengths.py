"""RLE Lossless, PS3.5 annex G: one segment of run lengths for each byte of each sample, the highest byte first.

A segment unpacks to no more than one byte for each pixel, whatever it holds.
"""

from __future__ import annotations

import struct

import numpy as np
from imagecodecs import packbits_decode

from dentasam.data.images.dicom.layout import Layout

HEADER_BYTES, MAX_SEGMENTS = 64, 15
NO_OPERATION = 128


def run_lengths(frame: bytes, layout: Layout) -> np.ndarray:
    """The cells (H, W) or (H, W, 3), unsigned, of one frame. Raises ValueError where it is damaged."""
    if layout.allocated % 8:
        raise ValueError(f"run lengths of {layout.allocated} bits allocated")
    count, *offsets = struct.unpack_from(f"<{MAX_SEGMENTS + 1}I", frame)
    width = layout.allocated // 8
    if count != layout.samples * width:
        raise ValueError(f"it has {count} segments of run lengths, {layout.samples * width} are needed")
    ends = [*offsets[1:count], len(frame)]
    pixels = layout.rows * layout.columns
    cells = np.empty((pixels, layout.samples, width), np.uint8)
    for segment, (start, end) in enumerate(zip(offsets, ends, strict=False)):
        sample, byte = divmod(segment, width)
        cells[:, sample, width - 1 - byte] = np.frombuffer(_unpacked(frame[start:end], pixels), np.uint8)
    values = cells.reshape(pixels, -1).view(f"<u{width}")
    shape = (layout.rows, layout.columns, layout.samples)
    return values.reshape(shape[: 2 if layout.samples == 1 else 3])


def _unpacked(segment: bytes, count: int) -> bytes | bytearray | memoryview:
    """The first `count` bytes of a segment. Raises ValueError where there are fewer."""
    try:
        content = packbits_decode(segment, out=bytearray(count))
    except RuntimeError:
        # More than the pixels need, or half a run at the end, as padding.
        content = _unpacked_tolerantly(segment, count)
    if len(content) < count:
        raise ValueError(f"a segment of run lengths has {len(content)} bytes, {count} are needed")
    return content


def _unpacked_tolerantly(segment: bytes, count: int) -> bytearray:
    content = bytearray()
    at, end = 0, len(segment)
    while at < end and len(content) < count:
        length = segment[at]
        if length > NO_OPERATION:
            content += segment[at + 1 : at + 2] * (257 - length)
            at += 2
        elif length < NO_OPERATION:
            content += segment[at + 1 : at + 2 + length]
            at += 2 + length
        else:
            at += 1
    return content[:count]
