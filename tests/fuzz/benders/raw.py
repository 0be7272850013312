"""Changes of bytes that know nothing of their meaning."""

import struct
from collections.abc import Callable
from random import Random

EXTREME_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
EXTREME_LONG_NUMBERS = (*EXTREME_NUMBERS, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
# Formats keep what matters most at their beginning, some at their end.
EDGE = 512
Change = Callable[[Random, bytearray], str]


def place(rng: Random, size: int) -> int:
    """A position in a file of `size` bytes, two times of three near its beginning or its end."""
    if size <= EDGE or rng.random() < 1 / 3:
        return rng.randrange(max(size, 1))
    return rng.randrange(EDGE) if rng.random() < 0.75 else size - 1 - rng.randrange(EDGE)


def _run(rng: Random, size: int) -> tuple[int, int]:
    start = place(rng, size)
    return start, min(size, start + rng.choice((1, 2, 4, 16, 64, 512, 4096)))


def flip_bits(rng: Random, data: bytearray) -> str:
    count = rng.choice((1, 1, 1, 2, 8, 64))
    for _ in range(count):
        data[place(rng, len(data))] ^= 1 << rng.randrange(8)
    return f"{count} bits flipped"


def set_bytes(rng: Random, data: bytearray) -> str:
    start, end = _run(rng, len(data))
    value = rng.choice((0, 0xFF))
    data[start:end] = bytes([value]) * (end - start)
    return f"bytes {start} to {end} set to {value}"


def scramble(rng: Random, data: bytearray) -> str:
    start, end = _run(rng, len(data))
    data[start:end] = rng.randbytes(end - start)
    return f"bytes {start} to {end} replaced at random"


def duplicate(rng: Random, data: bytearray) -> str:
    start, end = _run(rng, len(data))
    data[end:end] = data[start:end]
    return f"bytes {start} to {end} doubled"


def remove(rng: Random, data: bytearray) -> str:
    start, end = _run(rng, len(data))
    del data[start:end]
    return f"bytes {start} to {end} removed"


def swap(rng: Random, data: bytearray) -> str:
    length = rng.choice((1, 4, 64, 512))
    first, second = sorted(place(rng, max(1, len(data) - length)) for _ in range(2))
    data[first : first + length], data[second : second + length] = (
        data[second : second + length],
        data[first : first + length],
    )
    return f"{length} bytes at {first} and {second} swapped"


def truncate(rng: Random, data: bytearray) -> str:
    keep = rng.choice((0, 1, place(rng, len(data)), len(data) // 2, len(data) - 1))
    del data[keep:]
    return f"cut to {keep} bytes"


def extend(rng: Random, data: bytearray) -> str:
    junk = rng.randbytes(rng.choice((1, 100, 70_000)))
    data += junk if rng.random() < 0.5 else bytes(len(junk))
    return f"{len(junk)} bytes appended"


def extreme_number(rng: Random, data: bytearray) -> str:
    code = rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(code)
    numbers = EXTREME_LONG_NUMBERS if size == 8 else EXTREME_NUMBERS
    number = rng.choice(numbers) & ((1 << 8 * size) - 1)
    start = place(rng, max(1, len(data) - size))
    data[start : start + size] = struct.pack(code, number)
    return f"{number} as {code} at {start}"


CHANGES: tuple[Change, ...] = (
    flip_bits,
    flip_bits,
    set_bytes,
    scramble,
    duplicate,
    remove,
    swap,
    truncate,
    extend,
    extreme_number,
    extreme_number,
)


def bend_bytes(rng: Random, data: bytes) -> tuple[bytes, str]:
    """One to three changes of a file's bytes."""
    bent, hows = bytearray(data), []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not bent:
            break
        hows.append(rng.choice(CHANGES)(rng, bent))
    return bytes(bent), ", ".join(hows)
