"""Label Studio's run-length encoding of a brush mask, which is that of the package rle-pack for the pixels as RGBA.

A stream of bits, most significant first::

    32  number of values, 4 for each pixel, row by row
     5  bits of a value, less 1: 8 bits
    4x4 bits of a length in each of four sizes, less 1: 3, 4, 8 and 16
    then records:   1  whether a value is repeated
                    2  which of the sizes
                    n  length, less 1
                    8  the value, or as many values as the length says

The object is where alpha is greater than 0. Label Studio's page writes the colour of the label, its Python package
grey; both are read, the latter is written.
"""

from __future__ import annotations

import numpy as np

CHANNELS = 4
_HEADER_BITS, _VALUE_BITS = 53, 8
_SIZES = (3, 4, 8, 16)
_LONGEST = 1 << _SIZES[-1]
# How a repeated pattern of records is searched for: how many records it may have, and how often it must repeat.
_MAX_PATTERN, _MIN_REPEATS = 4, 4
_SHORTEST_WAIT, _LONGEST_WAIT = 8, 256


def encode(mask: np.ndarray) -> list[int]:
    """The bytes for a mask (H, W) bool, as Label Studio's Python package writes them: 255 inside."""
    flat = np.asarray(mask, bool).reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(np.concatenate([starts, [flat.size]])) * CHANNELS
    # Long runs are cut into full ones and a rest, which is written in the greatest size whatever its length.
    parts = -(-lengths // _LONGEST)
    last = np.cumsum(parts) - 1
    counts = np.full(int(parts.sum()), _LONGEST, np.int64)
    counts[last] = lengths - (parts - 1) * _LONGEST
    whole = np.repeat(lengths, parts)
    values = np.repeat(flat[starts].astype(np.int64) * 255, parts)
    which = np.searchsorted([1 << size for size in _SIZES[:-1]], whole)
    sizes = np.array(_SIZES, np.int64)[which]
    codes = (((4 | which) << sizes) | (counts - 1)) << _VALUE_BITS | values
    widths = 3 + sizes + _VALUE_BITS
    header = flat.size * CHANNELS << 21 | (_VALUE_BITS - 1) << 16
    for place, size in zip((12, 8, 4, 0), _SIZES, strict=True):
        header |= size - 1 << place
    bits = np.concatenate([_bits(np.array([header]), np.array([_HEADER_BITS])), _bits(codes, widths)])
    # The package adds a byte of zeros where nothing is left to fill up.
    return np.packbits(np.concatenate([bits, np.zeros(8 - bits.size % 8, np.uint8)])).tolist()


def decode(rle: object, height: int, width: int) -> np.ndarray:
    """The mask (height, width) bool of a list of bytes. Raises ValueError with the reason."""
    data = _bytes_of(rle)
    header = int.from_bytes(data[:7], "big") >> 3
    count, value_bits = header >> 21, (header >> 16 & 31) + 1
    sizes = [(header >> place & 15) + 1 for place in (12, 8, 4, 0)]
    if len(data) < 7 or value_bits != _VALUE_BITS:
        raise ValueError("its RLE is not that of a brush")
    if count != height * width * CHANNELS:
        raise ValueError(f"its RLE is for {count / CHANNELS:.0f} pixels, the image has {height * width}")
    values = _unpacked(data, sizes, count)
    return np.frombuffer(values, np.uint8)[CHANNELS - 1 :: CHANNELS].reshape(height, width) > 0


def _bits(codes: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """The lowest bits of each code one after the other, (sum of widths,) uint8."""
    ends = np.cumsum(widths)
    right = np.repeat(ends, widths) - 1 - np.arange(ends[-1])
    return (np.repeat(codes, widths) >> right & 1).astype(np.uint8)


def _bytes_of(rle: object) -> bytes:
    if not isinstance(rle, list) or not rle:
        raise ValueError("its RLE is not a list of bytes")
    try:
        # Of a value that is not a whole number the type of the array is another.
        numbers = np.array(rle)
    except (ValueError, OverflowError):
        raise ValueError("its RLE is not a list of bytes") from None
    if numbers.ndim != 1 or numbers.dtype.kind != "i" or numbers.min() < 0 or numbers.max() > 255:
        raise ValueError("its RLE is not a list of bytes")
    return numbers.astype(np.uint8).tobytes()


def _unpacked(data: bytes, sizes: list[int], count: int) -> bytearray:
    """The `count` values of the records.

    The page writes two or more records for each pixel of an object, always the same: where a few records repeat, all
    repetitions are taken at once.
    """
    total, padded, bits = len(data) * 8, data + bytes(8), np.unpackbits(np.frombuffer(data, np.uint8))
    values = bytearray(count)
    at, filled = _HEADER_BITS, 0
    recent = [(at, filled)] * _MAX_PATTERN
    wait = left = _SHORTEST_WAIT
    while filled < count:
        recent = [*recent[1:], (at, filled)]
        window = int.from_bytes(padded[at >> 3 : (at >> 3) + 5], "big") << (at & 7) & 0xFFFFFFFFFF
        size = sizes[window >> 37 & 3]
        length = (window >> 37 - size & (1 << size) - 1) + 1
        stop = filled + length
        start, at = at + 3 + size, at + 3 + size + _VALUE_BITS * (1 if window >> 39 else length)
        if at > total or stop > count:
            raise ValueError("its RLE is cut or malformed")
        if window >> 39:
            if value := window >> 29 - size & 255:
                values[filled:stop] = bytes([value]) * length
        else:
            literal = int.from_bytes(padded[start >> 3 : (at + 7) >> 3], "big") >> (-at & 7)
            values[filled:stop] = (literal & (1 << _VALUE_BITS * length) - 1).to_bytes(length, "big")
        filled = stop
        left -= 1
        if left == 0:
            repeats, pattern = _repeats(bits, at, recent)
            if repeats:
                old_at, old_filled = recent[-pattern]
                block = bytes(values[old_filled:filled])
                repeats = min(repeats, (count - filled) // len(block))
                values[filled : filled + repeats * len(block)] = block * repeats
                at, filled = at + repeats * (at - old_at), filled + repeats * len(block)
            wait = left = _SHORTEST_WAIT if repeats else min(2 * wait, _LONGEST_WAIT)
    return values


def _repeats(bits: np.ndarray, at: int, recent: list[tuple[int, int]]) -> tuple[int, int]:
    """How often the last few records come again from bit `at` on, and how many they are; 0 where they do not.

    recent: where the last records start. Equal bits at the start of a record are the same records again.
    """
    for pattern in range(1, len(recent) + 1):
        period = at - recent[-pattern][0]
        if period <= 0:
            continue
        looked_at, same = period * _MIN_REPEATS, 0
        while True:
            own, shifted = bits[at - period + same : at - period + looked_at], bits[at + same : at + looked_at]
            differ = own[: shifted.size] != shifted
            if differ.any():
                same += int(differ.argmax())
                break
            same += differ.size
            if same < looked_at:
                break
            looked_at *= 4
        if same >= period * _MIN_REPEATS:
            return same // period, pattern
    return 0, 0
