"""PNG chunks that are bent and then given a right checksum, so that what is behind the checksum is tried."""

import struct
import zlib
from random import Random

from .raw import EXTREME_NUMBERS, bend_bytes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Chunk = tuple[bytes, bytes]


def chunks_of(data: bytes) -> list[Chunk]:
    found, at = [], len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def joined(chunks: list[Chunk]) -> bytes:
    parts = [SIGNATURE]
    for name, content in chunks:
        parts.append(struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content)))
    return b"".join(parts)


def _header(rng: Random, chunks: list[Chunk]) -> str:
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    how = rng.randrange(4)
    if how == 0:
        width = rng.choice((*EXTREME_NUMBERS, 10_000, width + 1, width * 2))
    elif how == 1:
        height = rng.choice((*EXTREME_NUMBERS, 10_000, height + 1, height * 2))
    elif how == 2:
        width, height = rng.choice(((10_000, 10_000), (65_535, 1500), (1, 100_000_000), (1 << 31 - 1, 1)))
    else:
        rest[rng.randrange(5)] = rng.choice((0, 1, 2, 3, 4, 6, 7, 8, 16, 255))
    chunks[0] = (b"IHDR", struct.pack(">IIBBBBB", width & 0xFFFFFFFF, height & 0xFFFFFFFF, *rest))
    return f"header {width} x {height}, {rest}"


def _content(rng: Random, chunks: list[Chunk]) -> str:
    index = rng.randrange(len(chunks))
    name, content = chunks[index]
    bent, how = bend_bytes(rng, content) if content else (rng.randbytes(8), "filled")
    chunks[index] = (name, bent)
    return f"{name.decode('latin-1')}: {how}"


def _order(rng: Random, chunks: list[Chunk]) -> str:
    first, second = rng.randrange(len(chunks)), rng.randrange(len(chunks))
    way = rng.randrange(3)
    if way == 0:
        chunks[first], chunks[second] = chunks[second], chunks[first]
        return f"chunks {first} and {second} exchanged"
    if way == 1:
        chunks.insert(second, chunks[first])
        return f"chunk {first} doubled"
    name, _ = chunks.pop(first)
    return f"chunk {name.decode('latin-1')} removed"


def _extra(rng: Random, chunks: list[Chunk]) -> str:
    bomb = zlib.compress(bytes(rng.choice((1000, 50_000_000))), 1)
    name, content = rng.choice(
        (
            (b"zTXt", b"Comment\0\0" + bomb),
            (b"iTXt", b"Comment\0\1\0\0\0" + bomb),
            (b"iCCP", b"icc\0\0" + bomb),
            (b"tEXt", b"a\0" + rng.randbytes(40)),
            (b"acTL", struct.pack(">II", rng.choice(EXTREME_NUMBERS), 0)),
            (b"tRNS", rng.randbytes(rng.choice((0, 1, 2, 6, 300)))),
            (b"PLTE", rng.randbytes(rng.choice((0, 1, 3, 768, 900)))),
            (b"pHYs", struct.pack(">IIB", rng.choice(EXTREME_NUMBERS), rng.choice(EXTREME_NUMBERS), 1)),
            (b"eXIf", b"II*\0" + rng.randbytes(40)),
            (b"gAMA", struct.pack(">I", rng.choice(EXTREME_NUMBERS))),
            (b"tIME", bytes([255] * 7)),
            (b"ABCD", rng.randbytes(9)),
        )
    )
    chunks.insert(rng.randrange(1, len(chunks)), (name, content))
    return f"a chunk {name.decode()} of {len(content)} bytes"


def _bomb(rng: Random, chunks: list[Chunk]) -> str:
    """An image whose few bytes are 100 million pixels, in every depth and colour."""
    depth, colour = rng.choice(((8, 0), (16, 0), (8, 2), (16, 2), (16, 6), (8, 3), (1, 0)))
    samples = {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    width = height = 10_000
    row = 1 + (width * samples * depth + 7) // 8
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(row * 100)) for _ in range(height // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    palette = [(b"PLTE", bytes(768))] if colour == 3 else []
    chunks[:] = [(b"IHDR", header), *palette, (b"IDAT", packed), (b"IEND", b"")]
    return f"{width} x {height} pixels of depth {depth}, colour type {colour}, in {len(packed)} bytes"


def bend_png(rng: Random, data: bytes) -> tuple[bytes, str]:
    draw = rng.random()
    if draw < 0.4:
        return bend_bytes(rng, data)
    chunks = chunks_of(data)
    if draw < 0.44:
        how = _bomb(rng, chunks)
    else:
        bend = rng.choice((_header, _header, _content, _content, _order, _extra))
        try:
            how = bend(rng, chunks)
        except (struct.error, ValueError, IndexError):
            # A file without a whole header, which was bent before.
            return bend_bytes(rng, data)
    return joined(chunks), how
