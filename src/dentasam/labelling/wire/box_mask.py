"""One object's mask as the labelling tool keeps it: the bits inside a box of the image; outside it is empty.

On the wire and in the database the bits are run lengths, row by row inside the box, as unsigned LEB128 numbers:
seven bits a byte, lowest first, and 0x80 added to every byte but a number's last. The runs are of zeros and ones in
turn. The first is of zeros and may be 0; all add up to width × height.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.data.masks import rle

MAX_RUN_BYTES = 4  # of seven bits each; PIXEL_LIMIT needs 27 bits
# Runs are decoded and encoded in blocks, since the arrays for it take 60 times the memory of the bytes.
BLOCK_BYTES = 1 << 16
BLOCK_PIXELS = 1 << 16


class MaskError(ValueError):
    """A mask's run lengths are malformed, or its box is outside what an image may have."""


class BoxMask:
    """A mask as the bits of a box.

    x, y: the box's upper left pixel in the image. width, height: of the box, 0 and 0 for an empty mask. Two masks are
    equal if the same pixels of the image are set, whatever their boxes.

    A mask that was made from run lengths keeps those alone, and decodes its bits whenever they are asked for: the
    masks of a case take the memory of their outlines, whatever their boxes are. `unpacked` keeps the bits.
    """

    __slots__ = ("_bits", "_runs", "height", "width", "x", "y")

    def __init__(self, x: int, y: int, bits: np.ndarray) -> None:
        """bits: (height, width) bool, of shape (0, 0) for an empty mask; kept, and never changed."""
        self.x, self.y = x, y
        self.height, self.width = (int(side) for side in bits.shape)
        self._bits: np.ndarray | None = bits
        self._runs: bytes | None = None

    @staticmethod
    def from_mask(mask: np.ndarray) -> BoxMask:
        """The mask (H, W) bool of a whole image, in its smallest box."""
        return BoxMask(0, 0, np.asarray(mask, bool)).tight()

    @staticmethod
    def empty() -> BoxMask:
        """A mask without pixels, at 0, 0."""
        return BoxMask(0, 0, np.zeros((0, 0), bool))

    @staticmethod
    def from_runs(x: int, y: int, width: int, height: int, runs: bytes) -> BoxMask:
        """A mask from the run lengths of its bits, which are checked and not decoded yet.

        Raises MaskError for anything that `runs()` would not write.
        """
        if min(x, y, width, height) < 0 or max(x, y) > PIXEL_LIMIT:
            raise MaskError(f"the box {x}, {y}, {width} x {height} lies outside every image")
        if width * height > PIXEL_LIMIT:
            raise MaskError(f"the box {width} x {height} has more pixels than an image may have")
        if width == 0 or height == 0:
            if width or height or runs:
                raise MaskError("an empty mask has width, height and length 0")
            return BoxMask(x, y, np.zeros((0, 0), bool))
        # Runs of length 0 are refused below, so more bytes than this cannot be right; they are not even decoded.
        if len(runs) > MAX_RUN_BYTES * (width * height + 1):
            raise MaskError("it has more runs than pixels")
        covered = shortest = 0
        for index, lengths in enumerate(_decoded_blocks(runs)):
            if (lengths[1 if index == 0 else 0 :] == 0).any():
                raise MaskError("a run has length 0")
            covered += int(lengths.sum())
            shortest += int(_widths(lengths).sum())
            if covered > width * height:
                break
        if covered != width * height:
            raise MaskError(f"the runs cover {covered} pixels or more, the box has {width * height}")
        if shortest != len(runs):
            # Numbers written longer than need be; the same mask always has the same runs here.
            runs = b"".join(_encoded_leb128(lengths) for lengths in _decoded_blocks(runs))
        return _packed(x, y, width, height, runs)

    @property
    def bits(self) -> np.ndarray:
        """(height, width) bool; a new array at each call where the mask keeps run lengths alone."""
        if self._bits is not None:
            return self._bits
        bits = np.zeros(self.width * self.height, bool)
        at, ones = 0, False
        for lengths in _decoded_blocks(self._runs or b""):
            part = np.repeat(np.arange(lengths.size) % 2 == (0 if ones else 1), lengths)
            bits[at : at + part.size] = part
            at += part.size
            ones ^= lengths.size % 2 == 1
        return bits.reshape(self.height, self.width)

    def packed(self) -> BoxMask:
        """The same mask, with its run lengths alone in memory."""
        if self.pixels == 0:
            return self
        return _packed(self.x, self.y, self.width, self.height, self.runs())

    def unpacked(self) -> BoxMask:
        """The same mask, with its bits in memory."""
        return BoxMask(self.x, self.y, self.bits)

    @property
    def pixels(self) -> int:
        """Pixels of the box."""
        return self.width * self.height

    @property
    def area(self) -> int:
        """Pixels that are set."""
        if self._bits is not None:
            return int(np.count_nonzero(self._bits))
        return sum(int((stops - starts).sum()) for starts, stops in _ones(self._runs or b""))

    def runs(self) -> bytes:
        """The bits as run lengths; b"" for an empty box."""
        if self._runs is not None:
            return self._runs
        if self.pixels == 0:
            return b""
        return b"".join(_encoded_leb128(lengths) for lengths in _lengths_of(self.bits.reshape(-1)))

    def on_image(self, height: int, width: int) -> np.ndarray:
        """The mask (height, width) bool of the whole image. Raises MaskError if the box does not fit the image."""
        self.check_fits(height, width)
        mask = np.zeros((height, width), bool)
        mask[self.y : self.y + self.height, self.x : self.x + self.width] = self.bits
        return mask

    def fits(self, height: int, width: int) -> bool:
        """Whether the box lies inside an image of this size."""
        return self.pixels == 0 or (self.x + self.width <= width and self.y + self.height <= height)

    def check_fits(self, height: int, width: int) -> None:
        """Raises MaskError if the box does not fit an image of this size."""
        if not self.fits(height, width):
            box = f"{self.x}, {self.y}, {self.width} x {self.height}"
            raise MaskError(f"a mask in the box {box} does not fit an image of {width} x {height}")

    def tight(self) -> BoxMask:
        """The same pixels in the smallest box; (0, 0) at 0, 0 where no pixel is set."""
        if self._bits is None:
            left, top, right, bottom = _box_of_runs(self._runs or b"", self.width)
        else:
            left, top, right, bottom = _box_of_bits(self._bits)
        if right <= left:
            return BoxMask.empty()
        if (left, top, right, bottom) == (0, 0, self.width, self.height):
            return self
        cut = BoxMask(self.x + left, self.y + top, np.ascontiguousarray(self.bits[top:bottom, left:right]))
        return cut if self._bits is not None else _packed(cut.x, cut.y, cut.width, cut.height, cut.runs())

    def coco_runs(self, height: int, width: int) -> np.ndarray:
        """COCO's run lengths (int64) down the columns of the whole image; they add up to height × width.

        Only the box's own columns are decoded. Raises MaskError if the box does not fit the image.
        """
        self.check_fits(height, width)
        tight = self.tight()
        if tight.pixels == 0:
            return np.array([height * width], np.int64)
        columns = np.zeros((height, tight.width), bool)
        columns[tight.y : tight.y + tight.height] = tight.bits
        runs = rle.encode(columns)
        runs[0] += tight.x * height
        remaining = (width - tight.x - tight.width) * height
        if runs.size % 2:
            runs[-1] += remaining
        elif remaining:
            runs = np.append(runs, remaining)
        return runs

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoxMask):
            return NotImplemented
        mine, theirs = self.tight(), other.tight()
        return (mine.x, mine.y) == (theirs.x, theirs.y) and np.array_equal(mine.bits, theirs.bits)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"BoxMask({self.x}, {self.y}, {self.width} x {self.height}, area {self.area})"


def _packed(x: int, y: int, width: int, height: int, runs: bytes) -> BoxMask:
    """A mask that keeps its runs, which are those of its box."""
    mask = BoxMask.empty()
    mask.x, mask.y, mask.width, mask.height = x, y, width, height
    mask._bits, mask._runs = None, runs
    return mask


def _box_of_bits(bits: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the smallest box around the pixels that are set; all 0 where there is none."""
    rows = np.flatnonzero(bits.any(axis=1))
    if rows.size == 0:
        return 0, 0, 0, 0
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(bits[top:bottom].any(axis=0))
    return int(columns[0]), top, int(columns[-1]) + 1, bottom


def _box_of_runs(runs: bytes, width: int) -> tuple[int, int, int, int]:
    """The same from the run lengths of a box of this width."""
    left, right, top, bottom = width, 0, None, 0
    for starts, stops in _ones(runs):
        if starts.size == 0:
            continue
        first_row, last_row = starts // width, (stops - 1) // width
        top = int(first_row[0]) if top is None else top
        bottom = int(last_row[-1]) + 1
        if (first_row != last_row).any():
            # A run that goes on in the next row touches both sides.
            left, right = 0, width
        else:
            left = min(left, int((starts % width).min()))
            right = max(right, int(((stops - 1) % width).max()) + 1)
    return (0, 0, 0, 0) if top is None else (left, top, right, bottom)


def _ones(runs: bytes) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The first pixels of the runs of ones, and those behind them, counted row by row; block by block."""
    at, ones = 0, False
    for lengths in _decoded_blocks(runs):
        stops = at + np.cumsum(lengths)
        starts = stops - lengths
        chosen = slice(0 if ones else 1, None, 2)
        yield starts[chosen], stops[chosen]
        at = int(stops[-1])
        ones ^= lengths.size % 2 == 1


def _lengths_of(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """The lengths of the runs of pixels (n,) bool, n > 0, block by block."""
    last = 0
    begin = [0] if pixels[0] else []
    for start in range(0, pixels.size, BLOCK_PIXELS):
        part = pixels[start : start + BLOCK_PIXELS + 1]
        stops = np.flatnonzero(part[1:] != part[:-1]) + 1 + start
        if start + BLOCK_PIXELS >= pixels.size:
            stops = np.append(stops, pixels.size)
        lengths = np.diff(stops, prepend=last)
        if stops.size:
            last = int(stops[-1])
        yield np.concatenate([begin, lengths]).astype(np.int64)
        begin = []


def _widths(numbers: np.ndarray) -> np.ndarray:
    """The bytes that each number takes."""
    return 1 + np.searchsorted(1 << (7 * np.arange(1, MAX_RUN_BYTES)), numbers, side="right")


def _encoded_leb128(numbers: np.ndarray) -> bytes:
    places = np.arange(MAX_RUN_BYTES)
    groups = (numbers[:, None] >> (7 * places)) & 0x7F  # (n, MAX_RUN_BYTES)
    widths = _widths(numbers)
    follows = places < (widths - 1)[:, None]
    return (groups | np.where(follows, 0x80, 0))[places < widths[:, None]].astype(np.uint8).tobytes()


def _decoded_blocks(encoded: bytes) -> Iterator[np.ndarray]:
    """The numbers of LEB128, each in one of several arrays. Raises MaskError where they are malformed."""
    if not encoded or encoded[-1] >= 0x80:
        raise MaskError("its runs are cut in the middle of a number")
    start = 0
    while start < len(encoded):
        stop = min(start + BLOCK_BYTES, len(encoded))
        # A block ends with a number.
        for _ in range(MAX_RUN_BYTES):
            if encoded[stop - 1] < 0x80:
                break
            stop -= 1
        yield _decoded_leb128(encoded[start:stop])
        start = stop


def _decoded_leb128(encoded: bytes) -> np.ndarray:
    codes = np.frombuffer(encoded, np.uint8).astype(np.int64)
    if codes[-1] >= 0x80:
        raise MaskError("a run is longer than any image")
    ends = np.flatnonzero(codes < 0x80)
    starts = np.concatenate([[0], ends[:-1] + 1])
    widths = ends - starts + 1
    if int(widths.max()) > MAX_RUN_BYTES:
        raise MaskError("a run is longer than any image")
    places = np.arange(codes.size) - np.repeat(starts, widths)
    return np.asarray(np.add.reduceat((codes & 0x7F) << (7 * places), starts))
