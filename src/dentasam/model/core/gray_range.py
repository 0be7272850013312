"""Spreading the values of a 16-bit radiograph over 16 bits, where its data fill only some of them.

Detectors deliver 10 to 14 bits, and a 16-bit PNG or TIFF does not say so: as they are, 12-bit data are nearly black.

    what the file holds:  |0....data....4095|                                       |65535, a marker|
    what is returned:     |0..................................data...............................65535|

The rule, in this order:

1. A few values at either end that are further from the rest than the range of the rest are markers, burnt-in text or
   padding. They are left out, and become black or white. So is a saturated value with blurred edges.
2. Of the remaining values, all but those of 0.05 % of the pixels at either end are the data.
3. The data's depth is the smallest number of bits, 8 to 16, that contains them; 0…2^depth − 1 becomes 0…65535. An
   image that uses 16 bits stays exactly as it is. For an inverted image, the same counted down from white.
4. Data that fill less than a quarter of that depth (12-bit data around 32768, as some writers store signed data) are
   stretched to the full range, with a margin.

The map is monotone and clips only values outside the data. Applied to its own result, the rule changes nothing.
"""

from __future__ import annotations

import numpy as np

MAX_VALUE = 65535
# An image with fewer different values is a drawing or a label image, not a radiograph, and stays as it is.
MIN_VALUES = 16
MIN_DEPTH = 8
TAIL_SHARE = 0.0005
# So many values may be apart from the data at one end: a marker, its lossy neighbours, text, padding.
MAX_ISOLATED_VALUES = 8
# A marker with its edges covers up to this share of the image; in thin blurred text the edges have more pixels.
MAX_MARKER_SHARE = 0.05
MAX_EDGE_RATIO = 3
MIN_FILLED_SHARE = 0.25
MARGIN = 0.05
MAX_ROUNDS = 8
# About so many pixels are counted, in rows and columns at equal distances, so that the rule sees the same pixels of
# an image and of its result.
MAX_COUNTED_PIXELS = 1_000_000


def gray_values(image: np.ndarray) -> np.ndarray:
    """A radiograph (H, W) uint8 or uint16 as gray values 0..255, float32, spread over its gray range."""
    gray: np.ndarray = spread(image).astype(np.float32)
    if image.dtype == np.uint16:
        gray *= 255.0 / 65535.0
    return gray


def spread(gray: np.ndarray) -> np.ndarray:
    """A radiograph (H, W) uint16 with its data spread over 16 bits; the array itself where nothing changes.

    That is for uint8, for 16 bits in full use, and for images with few different values.
    """
    if gray.dtype != np.uint16 or gray.size == 0:
        return gray
    step = max(1, int((gray.size / MAX_COUNTED_PIXELS) ** 0.5))
    counts = np.bincount(gray[::step, ::step].reshape(-1), minlength=MAX_VALUE + 1)
    table: np.ndarray | None = None
    # Clipping moves markers next to the data, so that another round may find more to leave out, until none does.
    for _ in range(MAX_ROUNDS):
        next_table = _table(counts)
        if next_table is None:
            break
        table = next_table if table is None else next_table[table]
        counts = np.bincount(next_table, weights=counts, minlength=MAX_VALUE + 1).astype(np.int64)
    return gray if table is None else _looked_up(table, gray)


def _looked_up(table: np.ndarray, gray: np.ndarray) -> np.ndarray:
    """The table's value for each pixel (H, W), in runs of pixels, since numpy widens indices to 64 bits."""
    result = np.empty(gray.shape, table.dtype)
    source, target = gray.reshape(-1), result.reshape(-1)
    for start in range(0, gray.size, MAX_COUNTED_PIXELS):
        part = slice(start, start + MAX_COUNTED_PIXELS)
        target[part] = table[source[part]]
    return result


def _table(counts: np.ndarray) -> np.ndarray | None:
    """The new value of each of 0…65535, uint16; None where all stay the same. counts: (65536,) pixels of each."""
    ends = _data_ends(counts)
    if ends is None:
        return None
    low, high = ends
    depth = max(MIN_DEPTH, int(high).bit_length())
    black, white = 0.0, float(2**depth - 1)
    if depth == 16:
        # The same in an inverted image, whose data count down from white.
        black = float(MAX_VALUE + 1 - 2 ** max(MIN_DEPTH, (MAX_VALUE - low).bit_length()))
    if high - low < MIN_FILLED_SHARE * (white - black):
        margin = MARGIN * (high - low)
        black, white = low - margin, high + margin
    elif (black, white) == (0, MAX_VALUE):
        return None
    shares = (np.arange(MAX_VALUE + 1) - black) / (white - black)
    return np.rint(np.clip(shares, 0, 1) * MAX_VALUE).astype(np.uint16)


def _data_ends(counts: np.ndarray) -> tuple[int, int] | None:
    """The lowest and highest value of the data, None for a flat image or one of few values."""
    values = np.flatnonzero(counts)
    if len(values) < MIN_VALUES:
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
    """First and last of the sorted values (n,), without the few at either end that are apart from the rest."""
    gaps = np.diff(values)
    end = len(values) - 1
    low = int(np.argmax(gaps[:MAX_ISOLATED_VALUES]))
    high = end - 1 - int(np.argmax(gaps[::-1][:MAX_ISOLATED_VALUES]))
    for first, last in ((low + 1, high), (low + 1, end), (0, high)):
        width = values[last] - values[first]
        apart = [gaps[low]] * (first > 0) + [gaps[high]] * (last < end)
        if last - first >= MIN_VALUES // 2 and min(apart) > width:
            return int(values[first]), int(values[last])
    return int(values[0]), int(values[end])


def _blurred_marker(counts: np.ndarray) -> int:
    """How many values at the end of counts (n,) are a marker with blurred edges; 0 where there is none.

    The range below the marker is halved repeatedly: an upper half with at most three times the marker's pixels is its
    blurred edge, the data have many more. At least two halves must be edge: a radiograph of full depth fills them.
    """
    total = counts.sum()
    end, halves = len(counts) - len(counts) // 16, 0
    marker = counts[end:].sum()
    if marker <= TAIL_SHARE * total:
        return 0
    most = MAX_EDGE_RATIO * marker
    above = marker
    while end > 1:
        edge = counts[end // 2 : end].sum()
        if edge > most or above + edge > MAX_MARKER_SHARE * total:
            break
        above += edge
        end, halves = end // 2, halves + 1
    return len(counts) - end if halves >= 2 else 0
