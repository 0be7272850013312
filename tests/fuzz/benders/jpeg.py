"""JPEG segments: sizes, tables and scans."""

import struct
from random import Random

from .raw import bend_bytes

Segment = tuple[int, bytes]
SIZES = (0, 1, 7, 8, 17, 1000, 10_000, 65_500, 65_535)


def _split(data: bytes) -> tuple[list[Segment], bytes]:
    """The segments before the first scan's data, and the rest."""
    found, at = [], 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        found.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
        if marker == 0xDA:
            break
    return found, data[at:]


def _joined(segments: list[Segment], rest: bytes) -> bytes:
    parts = [b"\xff\xd8"]
    for marker, content in segments:
        parts.append(struct.pack(">BBH", 0xFF, marker, min(len(content) + 2, 65_535)) + content)
    return b"".join(parts) + rest


def bend_jpeg(rng: Random, data: bytes) -> tuple[bytes, str]:
    if rng.random() < 0.4:
        return bend_bytes(rng, data)
    segments, rest = _split(data)
    way = rng.randrange(5)
    index = rng.randrange(len(segments))
    marker, content = segments[index]
    if way == 0:
        frame = next(at for at, (marker, _) in enumerate(segments) if 0xC0 <= marker <= 0xC2)
        marker, content = segments[frame]
        height, width = rng.choice(SIZES), rng.choice(SIZES)
        precision = rng.choice((8, 8, 12, 16, 0, 255))
        segments[frame] = (marker, bytes([precision]) + struct.pack(">HH", height, width) + content[5:])
        how = f"frame {width} x {height}, {precision} bits"
    elif way == 1:
        bent, how = bend_bytes(rng, content)
        segments[index] = (marker, bent[:65_000])
        how = f"segment {marker:02x}: {how}"
    elif way == 2:
        segments.pop(index)
        how = f"segment {marker:02x} removed"
    elif way == 3:
        other = rng.choice((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC9, 0xCC, 0xD8, 0xD9, 0xDB, 0xDD, 0xE1, 0xE2, 0xEE, 0xFE))
        segments[index] = (other, content)
        how = f"segment {marker:02x} as {other:02x}"
    else:
        exif = b"Exif\0\0" + rng.choice((b"II*\0", b"MM\0*")) + rng.randbytes(60)
        segments.insert(0, (0xE1, exif))
        how = "EXIF of random bytes"
    return _joined(segments, rest), how
