"""The header of a compressed image: size, samples and bits, before anything is decoded."""

import struct
from dataclasses import dataclass

# Start of frame, by its marker: how the image is coded (ITU-T T.81 table B.1; T.87 for JPEG-LS).
BASELINE, EXTENDED, PROGRESSIVE, LOSSLESS, JPEG_LS = 0xC0, 0xC1, 0xC2, 0xC3, 0xF7
START_OF_FRAME = frozenset({*range(0xC0, 0xD0), JPEG_LS} - {0xC4, 0xC8, 0xCC})
START_OF_SCAN, APP0, APP14 = 0xDA, 0xE0, 0xEE
# JPEG 2000's main header starts with these two markers (ITU-T T.800 A.4, A.5).
SOC_SIZ = b"\xff\x4f\xff\x51"
JPEG_2000 = 0x4F
RGB_IDS = (b"RGB", b"rgb")


@dataclass(frozen=True, slots=True)
class Codestream:
    """coding: the marker of its start of frame. bits: of a sample. signed: known for JPEG 2000 alone.

    colour: "RGB" or "YBR" where the stream itself defines it, else empty.
    """

    coding: int
    rows: int
    columns: int
    samples: int
    bits: int
    signed: bool = False
    colour: str = ""


def codestream_of(content: bytes) -> Codestream:
    """Reads the header of a JPEG, JPEG-LS or JPEG 2000 image. Raises ValueError where there is none."""
    if content[:2] == b"\xff\xd8":
        return _jpeg(content)
    at = content.find(SOC_SIZ, 0, 4096)
    if at >= 0:
        return _jpeg_2000(content, at + len(SOC_SIZ))
    raise ValueError("its pixel data hold no JPEG image")


def _jpeg(content: bytes) -> Codestream:
    at, colour = 2, ""
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", content, at + 2)
        segment = content[at + 4 : at + 2 + length]
        if marker == APP0 and segment[:4] == b"JFIF":
            colour = colour or "YBR"
        elif marker == APP14 and segment[:5] == b"Adobe" and len(segment) >= 12:
            colour = "YBR" if segment[11] else "RGB"
        elif marker in START_OF_FRAME and len(segment) >= 6:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", segment)
            if segment[6 : 6 + 3 * samples : 3] in RGB_IDS:
                colour = "RGB"
            return Codestream(marker, rows, columns, samples, bits, colour=colour if samples == 3 else "")
        elif marker == START_OF_SCAN:
            break
        at += 2 + length
    raise ValueError("its JPEG image has no frame header")


def _jpeg_2000(content: bytes, at: int) -> Codestream:
    _, _, right, bottom, left, top = struct.unpack_from(">HHIIII", content, at)
    (samples,) = struct.unpack_from(">H", content, at + 36)
    depths = content[at + 38 : at + 38 + 3 * samples : 3]
    if not samples or len(depths) != samples or len(set(depths)) != 1:
        raise ValueError("the samples of its JPEG 2000 image differ in depth")
    bits, signed = (depths[0] & 0x7F) + 1, bool(depths[0] & 0x80)
    return Codestream(JPEG_2000, bottom - top, right - left, samples, bits, signed)
