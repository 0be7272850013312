"""Spreading the values of a 16-bit radiograph over 16 bits, where its data fill only some of them.

Detectors deliver 10 to 14 bits, and a 16-bit PNG or TIFF does not say so: as they are, 12-bit data are nearly black.

    what the file holds:  |0....data....4095|                                       |65535, a marker|
    what is returned:     |0..................................data...............................65535|

The rule, in this order:

1. A few values at either end that lie further from the rest than the rest is wide are markers, burnt-in text or
   padding. They take no part, and come out black or white. The same for a saturated value with blurred edges.
2. Of what is left, the values that hold all but 0.05 % of the pixels at either end are the data.
3. The data's depth is the least number of bits, 8 to 16, that holds them; 0…2^depth − 1 becomes 0…65535. An image
   that uses 16 bits stays as it is, bit for bit. The same, counted from white, for an inverted image.
4. Where the data fill less than a quarter of that depth (12-bit data around 32768, as writers of signed data make),
   they are stretched alone, with a margin.

The map is monotone and clips only what lies outside. Applied to its own result, the rule changes nothing.
"""

from __future__ import annotations

import numpy as np

FULL = 65535
# With fewer values it is not a radiograph but a drawing or a label image, and stays as it is.
LEAST_VALUES = 16
LEAST_DEPTH = 8
TAIL_SHARE = 0.0005
# Values that may stand apart from the data at one end: a marker, its lossy neighbours, text, padding.
FEW_VALUES = 8
# A marker with its edges covers up to this share of the image; in thin blurred text the edges have more pixels.
MARKER_SHARE = 0.05
EDGE = 3
NARROW = 0.25
MARGIN = 0.05
MOST_ROUNDS = 8
# The pixels that are counted: rows and columns at equal distances, so that the result is judged as its source was.
SAMPLED = 1_000_000


def spread(gray: np.ndarray) -> np.ndarray:
    """A radiograph (H, W) uint16 over the range of its data; uint8, and 16 bits in full use, as they are.

    The result is the array itself where nothing changes.
    """
    if gray.dtype != np.uint16 or gray.size == 0:
        return gray
    step = max(1, int((gray.size / SAMPLED) ** 0.5))
    counts = np.bincount(gray[::step, ::step].reshape(-1), minlength=FULL + 1)
    table: np.ndarray | None = None
    # Clipping moves markers next to the data, so that a second look may see less; the last one sees nothing.
    for _ in range(MOST_ROUNDS):
        next_table = _table(counts)
        if next_table is None:
            break
        table = next_table if table is None else next_table[table]
        counts = np.bincount(next_table, weights=counts, minlength=FULL + 1).astype(np.int64)
    return gray if table is None else table[gray]


def _table(counts: np.ndarray) -> np.ndarray | None:
    """The new value of each of 0…65535, uint16; None where all stay. counts: pixels of each value, (65536,)."""
    ends = _data_ends(counts)
    if ends is None:
        return None
    low, high = ends
    depth = max(LEAST_DEPTH, int(high).bit_length())
    black, white = 0.0, float(2**depth - 1)
    if depth == 16:
        # The same in an inverted image, whose data count down from white.
        black = float(FULL + 1 - 2 ** max(LEAST_DEPTH, (FULL - low).bit_length()))
    if high - low < NARROW * (white - black):
        margin = MARGIN * (high - low)
        black, white = low - margin, high + margin
    elif (black, white) == (0, FULL):
        return None
    shares = (np.arange(FULL + 1) - black) / (white - black)
    return np.rint(np.clip(shares, 0, 1) * FULL).astype(np.uint16)


def _data_ends(counts: np.ndarray) -> tuple[int, int] | None:
    """The lowest and highest value of the data, None for a flat image or one of few values."""
    values = np.flatnonzero(counts)
    if len(values) < LEAST_VALUES:
        return None
    first, last = _without_isolated(values)
    first += _blurred_marker(counts[first : last + 1][::-1])
    last -= _blurred_marker(counts[first : last + 1])
    cumulative = np.cumsum(counts[first : last + 1])
    tail = TAIL_SHARE * cumulative[-1]
    low = first + int(np.searchsorted(cumulative, tail, side="right"))
    high = first + int(np.searchsorted(cumulative, cumulative[-1] - tail))
    return (low, high) if high > low else None


def _without_isolated(values: np.ndarray) -> tuple[int, int]:
    """First and last of the values (n,), sorted, without the few at either end that stand apart from the rest."""
    gaps = np.diff(values)
    end = len(values) - 1
    low = int(np.argmax(gaps[:FEW_VALUES]))
    high = end - 1 - int(np.argmax(gaps[::-1][:FEW_VALUES]))
    for first, last in ((low + 1, high), (low + 1, end), (0, high)):
        width = values[last] - values[first]
        apart = [gaps[low]] * (first > 0) + [gaps[high]] * (last < end)
        if last - first >= LEAST_VALUES // 2 and min(apart) > width:
            return int(values[first]), int(values[last])
    return int(values[0]), int(values[end])


def _blurred_marker(counts: np.ndarray) -> int:
    """How many values at the end of counts (n,) are a marker with blurred edges; 0 where there is none.

    Going down from the marker by halves, a half that holds at most three times the marker's pixels is edge; the data
    hold many more. At least two halves must be edge: a radiograph that uses the depth fills them.
    """
    total = counts.sum()
    end, halves = len(counts) - len(counts) // 16, 0
    marker = counts[end:].sum()
    if marker <= TAIL_SHARE * total:
        return 0
    most = EDGE * marker
    above = marker
    while end > 1:
        edge = counts[end // 2 : end].sum()
        if edge > most or above + edge > MARKER_SHARE * total:
            break
        above += edge
        end, halves = end // 2, halves + 1
    return len(counts) - end if halves >= 2 else 0
