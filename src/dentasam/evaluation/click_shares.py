"""How well clicks are heeded: shares of the clicks that were given, by click.

unheeded    the clicked pixel is on the wrong side after the click's decode: the model did not do what it was asked
repaired    a decode contradicted the click, and the local repair enforced it; with the repair on, no click is
            unheeded, and this share says how many the model itself did not heed
repeated    the click lies within 0.35 % of the image's width of an earlier click of its sign on the same object

The first click corrects nothing: its unheeded and repeated shares are 0 by definition. An object whose mask is
perfect gets no further click, so later shares are over fewer objects. Where no click was given, the share is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KINDS = ("unheeded", "repaired", "repeated")
# As a share of the image's width: 10 pixels of 2,900.
REPEAT_DISTANCE = 0.0035


def repeated_clicks(points: Sequence[tuple[float, float]], labels: Sequence[int], width: int) -> tuple[bool, ...]:
    """Which clicks of one object, in their order, are close to an earlier one of their sign; width: of the image."""
    given = np.array(points, np.float64).reshape(-1, 2)
    signs = np.array(labels, np.int64)
    found = []
    for k, point in enumerate(given):
        earlier = given[:k][signs[:k] == signs[k]]
        found.append(bool((np.hypot(*(earlier - point).T) <= REPEAT_DISTANCE * width).any()))
    return tuple(found)


@dataclass(frozen=True)
class ClickEvents:
    """What happened at the clicks of P objects: how often, among how many clicks given; both (P, k), 0 or 1."""

    hits: NDArray[np.int64]
    given: NDArray[np.int64]

    @property
    def corrections(self) -> "ClickEvents":
        """All clicks but the first of each object, counted together, (P, 1)."""
        return ClickEvents(*(part[:, 1:].sum(axis=1, keepdims=True) for part in (self.hits, self.given)))

    def share(self) -> NDArray[np.float64]:
        """(k,) the share of the clicks given, 0 where none was."""
        return np.asarray(self.hits.sum(axis=0) / np.maximum(self.given.sum(axis=0), 1), np.float64)
