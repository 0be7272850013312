"""The samples of a file of masks or labels as they are stored, not scaled for display."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Samples:
    """A PNG or TIFF taken apart.

    values: (H, W) for grayscale and palette, (H, W, 3) for colour, as stored. bits: of a sample. palette: (N, 3), the
    colours of the indices, where `values` are indices. alpha: (H, W) or None, 0 for transparent, also where a palette
    or a single transparent colour defines it. white_is_zero: viewers show 0 as white, as some TIFF files state.
    """

    values: np.ndarray
    bits: int
    palette: np.ndarray | None = None
    alpha: np.ndarray | None = None
    white_is_zero: bool = False

    @property
    def full(self) -> int:
        """The greatest value that a sample can have."""
        return (1 << self.bits) - 1
