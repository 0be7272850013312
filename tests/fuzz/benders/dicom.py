"""DICOM elements: other values, representations and lengths, sequences in sequences, deflated bombs."""

import struct
import zlib
from io import BytesIO
from random import Random

import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian

from .raw import EXTREME_NUMBERS, bend_bytes

REPRESENTATIONS = (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"FD", b"FL", b"IS", b"LO", b"OB", b"OF", b"OW",
                   b"PN", b"SH", b"SL", b"SQ", b"SS", b"ST", b"TM", b"UI", b"UL", b"UN",
                   b"US", b"UT", b"ZZ", b"\0\0")  # fmt: skip
LONG = (b"OB", b"OW", b"OF", b"OD", b"SQ", b"UN", b"UT", b"UC", b"UR", b"OL", b"OV", b"SV", b"UV")
TEXTS = (b"", b" ", b"1e400", b"-1e400", b"NaN", b"inf", b"9" * 300, b"1\\2\\3", b"x", b"\x1b[31m", b"0", b"-1",
         b"1e-400", b"\\\\\\", b"\xff\xfe\x00", b"99999999999999999999", b"20240230", b"0\\0", b"1.2.3")  # fmt: skip
# Where the body's deflated bytes begin cannot be read from the file by its elements.
PREFIX = 132


def _elements(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Element's start, value's start, value's length and representation; of files with explicit representations."""
    found, at = [], PREFIX
    while at + 8 <= len(data):
        vr = data[at + 4 : at + 6]
        if vr in LONG:
            (length,) = struct.unpack_from("<I", data, at + 8)
            value = at + 12
        else:
            (length,) = struct.unpack_from("<H", data, at + 6)
            value = at + 8
        found.append((at, value, length, vr))
        if length == 0xFFFFFFFF:
            break
        at = value + length
    return found


def _encoded(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    head = struct.pack("<HH", group, element) + vr
    return head + (struct.pack("<HI", 0, len(value)) if vr in LONG else struct.pack("<H", len(value))) + value


def _bend_elements(rng: Random, data: bytes) -> tuple[bytes, str]:
    elements = _elements(data)
    start, value, length, vr = rng.choice(elements)
    group, number = struct.unpack_from("<HH", data, start)
    name = f"({group:04x},{number:04x})"
    end = len(data) if length == 0xFFFFFFFF else value + length
    bent = bytearray(data)
    way = rng.randrange(9)
    if way <= 2:
        if vr in (b"US", b"SS"):
            content = struct.pack(
                "<H", rng.choice((0, 1, 2, 3, 7, 8, 12, 16, 32, 64, 10_000, 32_767, 32_768, 65_535))
            )
            content *= rng.choice((1, 1, 1, 2, 3))
        elif vr in (b"OB", b"OW", b"UN"):
            content, _ = bend_bytes(rng, data[value:end])
        else:
            content = rng.choice(TEXTS)
        bent[start:end] = _encoded(group, number, vr, content[: None if vr in LONG else 65_000])
        return bytes(bent), f"{name} {vr.decode('latin-1')} = {content[:30]!r}"
    if way == 3:
        other = rng.choice(REPRESENTATIONS)
        bent[start + 4 : start + 6] = other
        return bytes(bent), f"{name} {vr!r} as {other!r}"
    if way == 4:
        size = rng.choice(EXTREME_NUMBERS)
        code = "<I" if vr in LONG else "<H"
        struct.pack_into(code, bent, value - struct.calcsize(code), size & (0xFFFFFFFF if vr in LONG else 0xFFFF))
        return bytes(bent), f"{name} of length {size}"
    if way == 5:
        del bent[start:end]
        return bytes(bent), f"{name} removed"
    if way == 6:
        bent[end:end] = data[start:end]
        return bytes(bent), f"{name} doubled"
    if way == 7:
        depth = rng.choice((3, 200, 5000))
        opening = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
            "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
        )
        closing = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
        bent[start:start] = opening * depth + closing * rng.choice((0, depth, depth - 1))
        return bytes(bent), f"{depth} sequences in each other before {name}"
    extra = _encoded(*rng.choice(_EXTRA))
    bent[start:start] = extra
    return bytes(bent), f"{extra[:12]!r} before {name}"


_EXTRA: tuple[tuple[int, int, bytes, bytes], ...] = (
    (0x0028, 0x0008, b"IS", b"99999999"),
    (0x0028, 0x0008, b"IS", b"x"),
    (0x0028, 0x1050, b"DS", b"1e400"),
    (0x0028, 0x1051, b"DS", b"0"),
    (0x0028, 0x1052, b"DS", b"NaN"),
    (0x0028, 0x1053, b"DS", b"1e308"),
    (0x0028, 0x0030, b"DS", b"0\\0"),
    (0x0028, 0x0030, b"DS", b"1e-400\\inf"),
    (0x0028, 0x1056, b"CS", b"SIGMOID"),
    (0x0028, 0x0006, b"US", b"\x05\x00"),
    (0x0028, 0x1101, b"US", b"\xff\xff\x00\x00\x10\x00"),
    (0x0028, 0x1201, b"OW", b"\x00" * 3),
    (0x0028, 0x3002, b"US", b"\xff\xff\xff\xff\xff\xff"),
    (0x0028, 0x3006, b"OW", b"\x00" * 8),
    (0x0028, 0x3010, b"SQ", b"\xfe\xff\x00\xe0\xff\xff\xff\xff"),
    (0x0008, 0x0005, b"CS", b"ISO_IR 999"),
    (0x0020, 0x4000, b"UT", b"x" * 200_000),
    (0x7FE0, 0x0001, b"OV", b"\xff" * 16),
    (0x7FE0, 0x0008, b"OF", b"\x00" * 16),
)


def _meta_end(data: bytes) -> int:
    return next((start for start, *_ in _elements(data) if data[start : start + 2] != b"\x02\x00"), len(data))


def _bomb(rng: Random, data: bytes) -> tuple[bytes, str]:
    """A body of a few kilobytes that is inflated to hundreds of megabytes, of pixels or of text."""
    header = pydicom.dcmread(BytesIO(data), stop_before_pixels=True)
    header.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    side, pixels = rng.choice(((10_000, 200_000_000), (100, 600_000_000), (65_535, 300_000_000)))
    header.Rows = header.Columns = side
    file = BytesIO()
    header.save_as(file, enforce_file_format=True)
    written = file.getvalue()
    end = _meta_end(written)
    body = zlib.decompress(written[end:], -15)
    packer = zlib.compressobj(1, wbits=-15)
    packed = packer.compress(body + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, pixels))
    packed += b"".join(packer.compress(bytes(4_000_000)) for _ in range(pixels // 4_000_000)) + packer.flush()
    return written[:end] + packed, f"deflated, {side} x {side}, {pixels} bytes of pixels in {len(packed)}"


def bend_dicom(rng: Random, data: bytes) -> tuple[bytes, str]:
    draw = rng.random()
    if draw < 0.3 or data[128:132] != b"DICM":
        return bend_bytes(rng, data)
    syntax = pydicom.dcmread(BytesIO(data), specific_tags=["SOPClassUID"]).file_meta.TransferSyntaxUID
    if draw < 0.34 and syntax.is_little_endian:
        return _bomb(rng, data)
    if syntax == DeflatedExplicitVRLittleEndian and rng.random() < 0.7:
        end = _meta_end(data)
        body = bytes(PREFIX) + zlib.decompress(data[end:], -15)
        bent, how = _bend_elements(rng, body)
        return data[:end] + zlib.compress(bent[PREFIX:], wbits=-15), f"deflated: {how}"
    if syntax.is_implicit_VR or not syntax.is_little_endian:
        return bend_bytes(rng, data)
    return _bend_elements(rng, data)
