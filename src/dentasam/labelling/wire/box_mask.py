"""One object's mask as the labelling tool keeps it: the bits inside a box of the image; outside it is empty.

On the wire and in the database the bits are run lengths, row by row inside the box, as unsigned LEB128 numbers:
seven bits a byte, lowest first, and 0x80 added to every byte but a number's last. The runs are of zeros and ones in
turn. The first is of zeros and may be 0; all add up to width × height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dentasam.data.images.size_limit import PIXEL_LIMIT
from dentasam.data.masks import rle

MAX_RUN_BYTES = 4  # of seven bits each; PIXEL_LIMIT needs 27 bits


class MaskError(ValueError):
    """A mask's run lengths are malformed, or its box is outside what an image may have."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxMask:
    """A mask as the bits of a box.

    x, y: the box's upper left pixel in the image. bits: (height, width) bool, of shape (0, 0) for an empty mask.
    Two masks are equal if the same pixels of the image are set, whatever their boxes.
    """

    x: int
    y: int
    bits: np.ndarray

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
        """A mask from the run lengths of its bits. Raises MaskError for anything that `runs()` would not write."""
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
        lengths = _decoded_leb128(runs)
        if (lengths[1:] == 0).any():
            raise MaskError("a run has length 0")
        if int(lengths.sum()) != width * height:
            raise MaskError(f"the runs cover {lengths.sum()} pixels, the box has {width * height}")
        bits = np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
        return BoxMask(x, y, bits.reshape(height, width))

    @property
    def width(self) -> int:
        return int(self.bits.shape[1])

    @property
    def height(self) -> int:
        return int(self.bits.shape[0])

    @property
    def area(self) -> int:
        """Pixels that are set."""
        return int(np.count_nonzero(self.bits))

    def runs(self) -> bytes:
        """The bits as run lengths; b"" for an empty box."""
        pixels = self.bits.reshape(-1)
        if pixels.size == 0:
            return b""
        changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
        start = [0, 0] if pixels[0] else [0]
        return _encoded_leb128(np.diff(np.concatenate([start, changes, [pixels.size]]).astype(np.int64)))

    def on_image(self, height: int, width: int) -> np.ndarray:
        """The mask (height, width) bool of the whole image. Raises MaskError if the box does not fit the image."""
        if not self.fits(height, width):
            raise MaskError(f"a mask in {self._box_text()} does not fit an image of {width} x {height}")
        mask = np.zeros((height, width), bool)
        mask[self.y : self.y + self.height, self.x : self.x + self.width] = self.bits
        return mask

    def fits(self, height: int, width: int) -> bool:
        """Whether the box lies inside an image of this size."""
        return self.bits.size == 0 or (self.x + self.width <= width and self.y + self.height <= height)

    def tight(self) -> BoxMask:
        """The same pixels in the smallest box; (0, 0) at 0, 0 where no pixel is set."""
        rows = np.flatnonzero(self.bits.any(axis=1))
        if rows.size == 0:
            return BoxMask.empty()
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        columns = np.flatnonzero(self.bits[top:bottom].any(axis=0))
        left, right = int(columns[0]), int(columns[-1]) + 1
        return BoxMask(self.x + left, self.y + top, np.ascontiguousarray(self.bits[top:bottom, left:right]))

    def coco_runs(self, height: int, width: int) -> np.ndarray:
        """COCO's run lengths (int64) down the columns of the whole image; they add up to height × width.

        Only the box's own columns are decoded. Raises MaskError if the box does not fit the image.
        """
        if not self.fits(height, width):
            raise MaskError(f"a mask in {self._box_text()} does not fit an image of {width} x {height}")
        tight = self.tight()
        if tight.bits.size == 0:
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

    def _box_text(self) -> str:
        return f"the box {self.x}, {self.y}, {self.width} x {self.height}"


def _encoded_leb128(numbers: np.ndarray) -> bytes:
    places = np.arange(MAX_RUN_BYTES)
    groups = (numbers[:, None] >> (7 * places)) & 0x7F  # (n, MAX_RUN_BYTES)
    widths = 1 + np.searchsorted(1 << (7 * places[1:]), numbers, side="right")
    follows = places < (widths - 1)[:, None]
    return (groups | np.where(follows, 0x80, 0))[places < widths[:, None]].astype(np.uint8).tobytes()


def _decoded_leb128(encoded: bytes) -> np.ndarray:
    codes = np.frombuffer(encoded, np.uint8).astype(np.int64)
    ends = np.flatnonzero(codes < 0x80)
    if codes.size == 0 or codes[-1] >= 0x80:
        raise MaskError("its runs are cut in the middle of a number")
    starts = np.concatenate([[0], ends[:-1] + 1])
    widths = ends - starts + 1
    if int(widths.max()) > MAX_RUN_BYTES:
        raise MaskError("a run is longer than any image")
    places = np.arange(codes.size) - np.repeat(starts, widths)
    return np.asarray(np.add.reduceat((codes & 0x7F) << (7 * places), starts))
