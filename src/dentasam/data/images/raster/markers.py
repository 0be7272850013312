"""What Pillow does not report of PNG and JPEG before decoding: PNG chunks, JPEG coding, EXIF orientation.

An orientation in XMP alone is ignored, as viewers do.
"""

import os
import struct
import warnings
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from dentasam.data.images.size_limit import MAX_CHUNKS, MAX_SCANS, START_OF_SCAN, check_count

# Pillow warns without naming the file, as of damaged EXIF, where the orientation is 1, and of an MPF segment that is
# malformed, where the picture is read as a single JPEG. What concerns the pixels it raises.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

PNG_SIGNATURE, JPEG_SIGNATURE = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PNG_GRAY = 0
ORIENTATION = 274
# ImageMagick keeps EXIF in a text chunk, written in hexadecimal.
RAW_PROFILES = (b"Raw profile type exif", b"Raw profile type APP1")
MAX_PROFILE_BYTES = 1 << 20
# ITU T.81 B.1.1.3: start of frame, without those of tables (C4, C8, CC).
JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
READ_JPEG_FRAMES = {0xC0, 0xC1, 0xC2}
JPEG_LS = 0xF7
JPEG_END, JPEG_TAIL = b"\xff\xd9", 1 << 16


@dataclass(frozen=True)
class PngChunks:
    """Of an IHDR: bits of a sample and the colour type; frames of an animation; EXIF bytes, empty where none.

    whole: whether the file holds all of its pixel data.
    """

    depth: int
    colour_type: int
    frames: int
    exif: bytes
    whole: bool


def png_chunks(path: Path) -> PngChunks:
    """Reads the chunks of a PNG file, also those after the pixels. Raises ImageError where there are too many."""
    depth, colour_type, frames, exif, pixels_end, count = 8, PNG_GRAY, 1, b"", 0, 0
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(len(PNG_SIGNATURE))
        while len(start := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", start)
            count += 1
            check_count(path, count, MAX_CHUNKS, "chunks")
            if kind == b"IEND":
                break
            if kind == b"IHDR" and length >= 10:
                size_and_kind = file.read(10)
                if len(size_and_kind) < 10:
                    break
                depth, colour_type = size_and_kind[8:]
                file.seek(length - 10, 1)
            elif kind in (b"acTL", b"eXIf", b"tEXt", b"zTXt") and length <= MAX_PROFILE_BYTES:
                body = file.read(length)
                if kind == b"acTL" and length >= 4:
                    frames = struct.unpack(">I", body[:4])[0]
                elif kind == b"eXIf":
                    exif = body
                else:
                    exif = exif or _raw_profile(kind, body)
            else:
                file.seek(length, 1)
                pixels_end = file.tell() if kind == b"IDAT" else pixels_end
            file.seek(4, 1)
    return PngChunks(depth, colour_type, frames, exif, 0 < pixels_end <= size)


def _raw_profile(kind: bytes, body: bytes) -> bytes:
    name, _, text = body.partition(b"\0")
    if name not in RAW_PROFILES:
        return b""
    with suppress(ValueError, zlib.error):
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], MAX_PROFILE_BYTES)
        # A line with the profile's name, one with its length, then the digits.
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    return b""


def jpeg_coding(path: Path) -> str | None:
    """The coding of a JPEG file where it is not one that is read (8 bits, baseline or progressive), else None."""
    with path.open("rb") as file:
        file.seek(2)
        while len(start := file.read(4)) == 4 and start[0] == 0xFF:
            if start[1] == 0xFF:
                file.seek(-3, 1)
                continue
            marker, length = start[1], struct.unpack(">H", start[2:])[0]
            if marker == JPEG_LS:
                return "JPEG-LS"
            if marker in JPEG_FRAMES:
                depth = file.read(1)
                if marker in (0xC3, 0xC7, 0xCB, 0xCF):
                    return "lossless"
                if depth != b"\x08":
                    return f"{depth[0]} bits" if depth else None
                return None if marker in READ_JPEG_FRAMES else "arithmetic or hierarchical coding"
            if marker == 0xDA:
                return None
            file.seek(length - 2, 1)
    return None


def jpeg_is_whole(path: Path) -> bool:
    """Whether a JPEG file has the marker that ends an image; coded pixels never hold FF D9 (ITU T.81 B.1.1.2)."""
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - JPEG_TAIL))
        if JPEG_END in file.read():
            return True
        # Some devices append data of their own.
        file.seek(0)
        return JPEG_END in file.read()


def check_scans(path: Path) -> None:
    """Raises ImageError for a JPEG file with more scans than any radiograph has: each goes through all pixels."""
    with path.open("rb") as file:
        count, last = 0, b""
        while block := file.read(1 << 20):
            # In coded pixels no marker occurs by chance (ITU T.81 B.1.1.2).
            count += (last + block).count(START_OF_SCAN)
            last = block[-1:]
    check_count(path, count, MAX_SCANS, "scans")


def orientation_of(exif: bytes) -> int:
    """The orientation, 1 to 8, of EXIF bytes; 1 where they hold none."""
    if not exif:
        return 1
    value: object = 1
    # Damaged metadata do not make the pixels unreadable.
    with suppress(Exception):
        parsed = Image.Exif()
        parsed.load(exif)
        value = parsed.get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
