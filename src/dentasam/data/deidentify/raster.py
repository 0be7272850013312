"""PNG, JPEG and TIFF files without metadata: no EXIF, no text, no thumbnails, no bytes after the image.

PNG and JPEG keep their coded pixels byte for byte. TIFF, which may keep anything in its tags, and images of which
something is blanked are written as grayscale PNG with the values that `read_image` reads.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from dentasam.data.deidentify.codestreams import bare_jpeg
from dentasam.data.deidentify.report import Touch
from dentasam.data.images.raster.markers import PNG_SIGNATURE
from dentasam.data.images.raster.pillow import read_jpeg, read_png
from dentasam.data.images.raster.tiff import read_tiff
from dentasam.errors import ImageError

# What a PNG cannot be decoded without, and the palette's transparency.
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_READERS = {"PNG": read_png, "JPEG": read_jpeg, "TIFF": read_tiff}
_PIECE = 1 << 16
RULE = "only pixels are copied"


@dataclass(frozen=True)
class Copied:
    """content: the new file, a JPEG only where the source is one and nothing is blanked, else PNG."""

    content: bytes
    touched: list[Touch]


def deidentified_raster(path: Path, kind: str, region: np.ndarray | None) -> Copied:
    """The pixels of a PNG, JPEG or TIFF file alone. region: pixels to make black, (H, W) bool.

    Raises ImageError where the file is damaged or its metadata cannot be separated from its pixels.
    """
    if kind == "TIFF" or region is not None:
        pixels, _ = _READERS[kind](path)
        touched = [Touch("", f"all tags of {kind}", "", "removed", RULE)]
        if region is not None:
            pixels = np.where(region, pixels[~region].min(initial=pixels.max()), pixels).astype(pixels.dtype)
            touched.append(Touch("", "pixels", "", f"{int(region.sum())} pixels blanked", "clean pixel data"))
        return Copied(_png(pixels), touched)
    try:
        content = path.read_bytes()
        stripped, found = bare_png(content) if kind == "PNG" else bare_jpeg(content)
    except (ValueError, struct.error, zlib.error) as error:
        raise ImageError(f"{path} is damaged or truncated ({error}); copy it again") from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    touched = [Touch("", name, "", "removed", RULE) for name in found]
    return Copied(stripped, touched)


def bare_png(content: bytes) -> tuple[bytes, list[str]]:
    """The PNG with the chunks that decoding needs, and the names of those left out. Raises ValueError for damage."""
    kept: dict[bytes, list[bytes]] = {kind: [] for kind in _PNG_KEPT}
    found, end = [], 0
    for kind, body, after in _chunks(content):
        end = after
        if kind in kept:
            kept[kind].append(body)
        else:
            found.append(f"chunk {kind.decode('latin-1')}" if kind.isalpha() else "chunk without a name")
    if content[end:].strip(b"\0"):
        found.append("bytes after the image")
    packed = b"".join(kept[b"IDAT"])
    used = _length_of_stream(packed)
    if used < len(packed):
        found.append("bytes after the pixels")
    small = [(kind, kept[kind][0]) for kind in (b"IHDR", b"PLTE", b"tRNS") if kept[kind]]
    chunks = [*small, (b"IDAT", packed[:used]), (b"IEND", b"")]
    return b"".join([PNG_SIGNATURE, *(_chunk(*each) for each in chunks)]), found


def _length_of_stream(packed: bytes) -> int:
    """The bytes that a zlib stream takes, of bytes that start with it. Raises ValueError where it ends early."""
    unpacker = zlib.decompressobj()
    for at in range(0, len(packed), _PIECE):
        # The pixels are not kept: an image of any size takes little memory.
        unpacker.decompress(packed[at : at + _PIECE])
        if unpacker.eof:
            return min(len(packed), at + _PIECE) - len(unpacker.unused_data)
    raise ValueError("its pixels end early")


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Name, body and end of each chunk, up to the last of the image."""
    at = len(PNG_SIGNATURE)
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if at + 8 + length > len(content):
            raise ValueError("its chunks end early")
        yield kind, content[at + 8 : at + 8 + length], at + 12 + length
        if kind == b"IEND":
            return
        at += 12 + length


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
