"""COCO's run-length encoding of one mask: runs of zeros and ones down the columns, first run zeros.

Runs are read here with numpy rather than by pycocotools, which trusts its input: a string cut in the middle
of a number is read past its end. Many strings are read at once, since a dataset is checked when it is loaded.
Only an object's own columns are touched, never the whole image.
"""

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask

from dentasam.errors import DatasetError

# Characters that are read at once: the arrays for it take 100 times their memory.
BATCH_CHARACTERS = 1 << 18
# Pixels that are compared at once, where an image is gone through in strips of columns.
STRIP_PIXELS = 1 << 20
# A mask of noise has a run for every other pixel, at 50 bytes each. 1,000 objects of 100 megapixels have a million.
MAX_RUNS = 10_000_000
MAX_CHARACTERS = 7  # of five bits for one number; more than any run of a 32-bit mask needs


def runs_of(strings: Sequence[str | bytes]) -> list[np.ndarray | None]:
    """The runs (int64) of each compressed string, None for a string that is not such an encoding.

    A number is written in groups of five bits, lowest first; bit 0x20 says that more follow, and 0x10 of the
    last group is the sign. From the fourth number on it is the difference to the number two places before.
    """
    texts = [text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass") for text in strings]
    found: list[np.ndarray | None] = []
    batch: list[bytes] = []
    size = 0
    for text in texts:
        if batch and size + len(text) > BATCH_CHARACTERS:
            found += _numbers_of(batch)
            batch, size = [], 0
        if len(text) > BATCH_CHARACTERS:
            found.append(_numbers_of_long(text))
            continue
        batch.append(text)
        size += len(text)
    found += _numbers_of(batch)
    for index, runs in enumerate(found):
        if runs is not None:
            runs[1::2] = np.cumsum(runs[1::2])
            runs[2::2] = np.cumsum(runs[2::2])
            found[index] = runs if (runs >= 0).all() else None
    return found


def _numbers_of_long(text: bytes) -> np.ndarray | None:
    """The numbers of one string, a part after the other; each part ends with a number."""
    parts: list[np.ndarray] = []
    start = 0
    while start < len(text):
        stop = min(start + BATCH_CHARACTERS, len(text))
        for _ in range(MAX_CHARACTERS if stop < len(text) else 0):
            if not (text[stop - 1] - 48) & 0x20:
                break
            stop -= 1
        (part,) = _numbers_of([text[start:stop]])
        if part is None:
            return None
        parts.append(part)
        start = stop
    return np.concatenate(parts)


def _numbers_of(texts: Sequence[bytes]) -> list[np.ndarray | None]:
    """The numbers in each string, as they are written; None for a string that is not such an encoding."""
    if not texts:
        return []
    # A last zero closes a string that ends in the middle of a number, before it runs into its neighbour.
    codes = np.frombuffer(b"".join(text + b"0" for text in texts), np.uint8).astype(np.int64) - 48
    lengths = np.array([len(text) + 1 for text in texts], np.int64)
    last = np.cumsum(lengths) - 1
    more = (codes & 0x20) != 0
    bad_code = (codes < 0) | (codes > 63)

    number_ends = np.flatnonzero(~more)
    number_starts = np.concatenate([[0], number_ends[:-1] + 1]).astype(np.int64)
    widths = number_ends - number_starts + 1
    place = np.arange(codes.size) - np.repeat(number_starts, widths)
    groups = (codes & 0x1F) << (5 * np.minimum(place, MAX_CHARACTERS))
    numbers = np.add.reduceat(groups, number_starts)
    negative = (codes[number_ends] & 0x10) != 0
    numbers = np.where(negative, numbers - (np.int64(1) << (5 * np.minimum(widths, MAX_CHARACTERS))), numbers)

    first_number = np.searchsorted(number_ends, last - lengths + 1)
    closing_number = np.searchsorted(number_ends, last)
    cut = number_starts[closing_number] != last
    bad = cut | (lengths == 1) | np.logical_or.reduceat(bad_code, last - lengths + 1)
    bad |= np.logical_or.reduceat(widths > MAX_CHARACTERS, first_number)
    found: list[np.ndarray | None] = []
    for index in range(len(texts)):
        if bad[index]:
            found.append(None)
            continue
        found.append(numbers[first_number[index] : closing_number[index]].copy())
    return found


def to_string(runs: np.ndarray, height: int, width: int) -> str:
    """The compressed string of runs that add up to height × width."""
    # An array is taken as it is; a list of Python's numbers would take ten times as long.
    plain = {"size": [height, width], "counts": np.asarray(runs)}
    return coco_mask.frPyObjects(plain, height, width)["counts"].decode("ascii")


def encode(mask: np.ndarray) -> np.ndarray:
    """The runs of a mask (H, W) bool. Raises DatasetError for noise, of more than `MAX_RUNS`."""
    height, width = mask.shape
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return np.array([height * width], np.int64)
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    return _runs_of_columns(np.ascontiguousarray(mask[:, left:right].T), left, width)


def encode_box(x: int, y: int, bits: np.ndarray, height: int, width: int) -> np.ndarray:
    """The runs of a mask (height, width) that is `bits` (h, w) bool in the box at x, y, and empty outside it."""
    used = np.flatnonzero(bits.any(axis=0))
    if used.size == 0:
        return np.array([height * width], np.int64)
    left, right = int(used[0]), int(used[-1]) + 1
    columns = np.zeros((right - left, height), bool)
    columns[:, y : y + bits.shape[0]] = bits[:, left:right].T
    return _runs_of_columns(columns, x + left, width)


def _runs_of_columns(columns: np.ndarray, left: int, width: int) -> np.ndarray:
    """The runs of a mask of `width` columns from those (n, H) that start at `left`; the first and last not empty."""
    height, right = columns.shape[1], left + len(columns)
    pixels = columns.reshape(-1)  # ((right - left) * H,)
    changed = pixels[1:] != pixels[:-1]
    if changed.size > MAX_RUNS and np.count_nonzero(changed) > MAX_RUNS:
        raise DatasetError(f"a mask begins or ends over {MAX_RUNS:,} times, as noise does; draw it again")
    changes = np.flatnonzero(changed) + 1 + left * height
    start = [left * height] if pixels[0] else []
    # A mask that reaches the last pixel ends with a run of ones, without an empty run of zeros behind it.
    stop = [right * height] if pixels[-1] and right < width else []
    return np.diff(np.concatenate([[0], start, changes, stop, [height * width]]).astype(np.int64))


def decode_into(mask: np.ndarray, runs: np.ndarray) -> None:
    """Sets the ones of `runs` in a mask (H, W) bool that is False all over; runs add up to H × W."""
    left, columns = _columns_of_runs(runs, mask.shape[0])
    if len(columns):
        mask[:, left : left + len(columns)] = columns.T


def decode_box(runs: np.ndarray, height: int) -> tuple[int, int, np.ndarray]:
    """x, y and content (h, w) bool of the smallest box around a mask; an empty mask has no pixels, (0, 0)."""
    left, columns = _columns_of_runs(runs, height)
    rows = np.flatnonzero(columns.any(axis=0))
    if rows.size == 0:
        return 0, 0, np.zeros((0, 0), bool)
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return left, top, np.ascontiguousarray(columns[:, top:bottom].T)


def _columns_of_runs(runs: np.ndarray, height: int) -> tuple[int, np.ndarray]:
    """The index of the first column with ones, and the columns (n, height) bool from there to the last with ones."""
    ends = np.cumsum(runs)
    starts_of_ones, ends_of_ones = ends[:-1:2], ends[1::2]
    filled = np.flatnonzero(starts_of_ones < ends_of_ones)
    if filled.size == 0:
        return 0, np.zeros((0, height), bool)
    left = int(starts_of_ones[filled[0]]) // height
    right = -(-int(ends_of_ones[filled[-1]]) // height)
    inside = np.clip(ends, left * height, right * height)
    lengths = np.diff(inside, prepend=left * height)
    pixels = np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
    return left, pixels.reshape(right - left, height)


def area_of(runs: np.ndarray) -> int:
    """Pixels in the mask."""
    return int(runs[1::2].sum())


def box_of(runs: np.ndarray, height: int) -> tuple[float, float, float, float]:
    """x, y, width, height of the smallest box around the mask, in pixels; all zero for an empty mask."""
    ends = np.cumsum(runs)
    starts, stops = ends[:-1:2], ends[1::2]
    filled = starts < stops
    starts, stops = starts[filled], stops[filled] - 1  # first and last pixel of each run of ones
    if starts.size == 0:
        return 0.0, 0.0, 0.0, 0.0
    left, right = int(starts[0]) // height, int(stops[-1]) // height
    # A run that crosses into the next column touches the image's bottom and top.
    crosses = bool((starts // height != stops // height).any())
    top = 0 if crosses else int((starts % height).min())
    bottom = height - 1 if crosses else int((stops % height).max())
    return float(left), float(top), float(right - left + 1), float(bottom - top + 1)
