"""JPEG and JPEG 2000 images without what is not needed to decode them: EXIF, comments, thumbnails, trailing bytes.

The coded pixels are copied byte for byte, so that they decode to the same values.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dentasam.data.images.dicom.compression.codestream import APP0, APP14, SOC_SIZ, START_OF_SCAN

_START, _END = b"\xff\xd8", b"\xff\xd9"
_COMMENT = 0xFE
_APPLICATION = range(0xE0, 0xF0)
# HP's colour transform of JPEG-LS, without which the colours are wrong.
_APP8, _COLOUR_TRANSFORM = 0xE8, b"mrfx"
_JFIF_BYTES = 12  # identifier, version, density; then the thumbnail's size
_RESTARTS = range(0xD0, 0xD8)
_J2K_COMMENT, _J2K_TILE = b"\xff\x64", b"\xff\x90"


def bare_jpeg(content: bytes) -> tuple[bytes, list[str]]:
    """A JPEG or JPEG-LS image with the segments that decoding needs, and the names of those left out.

    Raises ValueError where the segments cannot be followed.
    """
    if content[:2] != _START:
        raise ValueError("its JPEG image has no start")
    kept, left_out, at = [_START], [], 2
    while at + 2 <= len(content):
        if content[at] != 0xFF:
            raise ValueError("its JPEG image has bytes between its segments")
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _END[1]:
            kept.append(_END)
            if content[at + 2 :].strip(b"\0\xff"):
                left_out.append("bytes after the image")
            return b"".join(kept), left_out
        if at + 4 > len(content):
            break
        (length,) = struct.unpack_from(">H", content, at + 2)
        end = at + 2 + length
        segment = _needed(marker, content[at + 4 : end])
        if segment is None:
            left_out.append("comment" if marker == _COMMENT else f"APP{marker - 0xE0}")
        else:
            kept.append(bytes((0xFF, marker)) + struct.pack(">H", len(segment) + 2) + segment)
        if marker == START_OF_SCAN:
            start, end = end, _end_of_scan(content, end)
            kept.append(content[start:end])
        at = end
    raise ValueError("its JPEG image ends early")


def _needed(marker: int, segment: bytes) -> bytes | None:
    """The segment's bytes that decoding needs; None where it needs none of them."""
    if marker == APP0 and segment[:5] == b"JFIF\0" and len(segment) >= _JFIF_BYTES:
        return segment[:_JFIF_BYTES] + b"\0\0"
    if marker == APP14 and segment[:5] == b"Adobe":
        return segment[:12]
    if marker == _APP8 and segment[:4] == _COLOUR_TRANSFORM:
        return segment[:5]
    return None if marker in _APPLICATION or marker == _COMMENT else segment


def _end_of_scan(content: bytes, at: int) -> int:
    """Where the coded pixels of a scan end: at a marker that is neither a stuffed byte nor a restart.

    JPEG stuffs FF 00 (T.81 F.1.2.3), JPEG-LS a bit, so that no marker of FF 80 and more is among the pixels.
    """
    while (at := content.find(b"\xff", at)) >= 0 and at + 1 < len(content):
        following = content[at + 1]
        if following >= 0x80 and following not in _RESTARTS and following != 0xFF:
            return at
        at += 1 if following == 0xFF else 2
    raise ValueError("its JPEG image ends early")


def bare_jpeg_2000(content: bytes) -> tuple[bytes, list[str]]:
    """The codestream of a JPEG 2000 image without its boxes and comments, and the names of what is left out.

    Raises ValueError where there is no codestream.
    """
    start = content.find(SOC_SIZ)
    if start < 0:
        raise ValueError("its JPEG 2000 image has no start")
    left_out = ["boxes of JP2"] if start else []
    end = content.rfind(_END)
    if end < start:
        end = len(content)
    else:
        end += 2
        if content[end:].strip(b"\0\xff"):
            left_out.append("bytes after the image")
    kept = [content[start : start + 2]]
    for marker, segment in _main_header(content, start + 2):
        if marker == _J2K_COMMENT:
            left_out.append("comment")
        else:
            kept.append(segment)
    tiles = start + 2 + _header_length(content, start + 2)
    return b"".join(kept) + content[tiles:end], left_out


def _main_header(content: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """The marker segments before the first tile."""
    while (marker := content[at : at + 2]) != _J2K_TILE:
        if at + 4 > len(content) or marker[:1] != b"\xff":
            raise ValueError("its JPEG 2000 image has no tiles")
        end = at + 2 + struct.unpack_from(">H", content, at + 2)[0]
        yield marker, content[at:end]
        at = end


def _header_length(content: bytes, at: int) -> int:
    return sum(len(segment) for _, segment in _main_header(content, at))
