"""The same picture twice, though not byte for byte: saved again, scaled, brightened, cut a little, mirrored.

Two steps. A hash of 64 bits of each image (the signs of its lowest frequencies, "pHash": Zauner, Implementation and
benchmarking of perceptual image hash functions, 2010) finds candidates: those that differ by at most 14 bits. A
picture of 64×32 pixels without its low frequencies decides between them. Among the 372 images of UFBA-425's
train.json and val.json, 69,006 pairs, it correlates by at most 0.78. With copies of every sixth it correlates by 0.93
or more: as JPEG of quality 40, at half size, with another gamma, with noise, turned by 1 degree, cut by 1 % at each
side, all of which are found, and with local contrast, of which 97 % are found. Copies that are cut by 2 % at each
side are missed. A second radiograph of the same patient is not a copy, and is not found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

MAX_BITS, MIN_CORRELATION = 14, 0.88
SMALL_WIDTH, SMALL_HEIGHT = 64, 32
# Rows of the table of all pairs that are in memory at a time.
_ROWS = 256


@dataclass(frozen=True)
class Twin:
    """A picture and an earlier one that shows the same; both by their places."""

    picture: int
    first: int
    mirrored: bool


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of an image, 2 kB. small: (32, 64) int8 without low frequencies, scaled to ±127."""

    hash: int
    mirrored_hash: int
    small: np.ndarray


def fingerprint(pixels: np.ndarray) -> Fingerprint:
    """The fingerprint of an image (H, W) of 8 or 16 bits."""
    small = cv2.resize(pixels, (SMALL_WIDTH, SMALL_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    square = cv2.resize(small, (SMALL_HEIGHT, SMALL_HEIGHT), interpolation=cv2.INTER_AREA)
    detail = small - cv2.GaussianBlur(small, (0, 0), 4)
    detail -= detail.mean()
    detail *= 127 / max(float(np.abs(detail).max()), 1e-6)
    return Fingerprint(_hash(square), _hash(square[:, ::-1]), detail.astype(np.int8))


def _hash(square: np.ndarray) -> int:
    low = cv2.dct(np.ascontiguousarray(square))[:9, :9].ravel()[1:65]  # the first is the mean
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


class Fingerprints:
    """The fingerprints of all images, in the order in which they are added."""

    def __init__(self) -> None:
        self._all: list[Fingerprint] = []

    def add(self, found: Fingerprint) -> None:
        self._all.append(found)

    def details(self) -> np.ndarray:
        """(n, 32, 64) int8."""
        return np.array([item.small for item in self._all], np.int8).reshape(-1, SMALL_HEIGHT, SMALL_WIDTH)

    def twins(self) -> Iterator[Twin]:
        """All pairs of pictures that show the same.

        Hashes are compared in numpy, in blocks of rows: 10,000 images take about a second.
        """
        hashes = np.array([item.hash for item in self._all], np.uint64)
        mirrored = np.array([item.mirrored_hash for item in self._all], np.uint64)
        details = self.details()
        for start in range(0, len(hashes), _ROWS):
            stop = min(start + _ROWS, len(hashes))
            rows = np.arange(start, stop)
            for others, is_mirrored in ((hashes, False), (mirrored, True)):
                near = np.bitwise_count(hashes[start:stop, None] ^ others[None, :stop]) <= MAX_BITS
                near &= rows[:, None] > np.arange(stop)[None]
                row, column = np.nonzero(near)
                yield from _confirmed(details, row + start, column, is_mirrored)


def _confirmed(details: np.ndarray, pictures: np.ndarray, others: np.ndarray, mirrored: bool) -> Iterator[Twin]:
    """Those pairs of which the details correlate."""
    for start in range(0, len(pictures), 1024):
        some, first = pictures[start : start + 1024], others[start : start + 1024]
        own = details[some].astype(np.float32)
        other = details[first].astype(np.float32)
        if mirrored:
            other = other[:, :, ::-1]
        product = np.einsum("nij,nij->n", own, other)
        lengths = np.einsum("nij,nij->n", own, own) * np.einsum("nij,nij->n", other, other)
        same = product > MIN_CORRELATION * np.sqrt(lengths)
        for place in np.flatnonzero(same):
            yield Twin(int(some[place]), int(first[place]), mirrored)
