"""A tooth with a filling, drawn at the size of a panoramic, and a network that sees what is bright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dentasam.model.core.frame import Frame
from dentasam.model.windows.window_cache import WindowCache
from dentasam.model.windows.windowed_image import WindowedImage

from .bright_network import BrightNetwork

HEIGHT, WIDTH = 1000, 2400


@dataclass(frozen=True)
class Scene:
    """An image with its masks (H, W) bool, and a point x, y in the filling and one in the tooth alone."""

    image: np.ndarray
    tooth: np.ndarray
    filling: np.ndarray
    in_filling: tuple[float, float] = (1204.0, 415.0)
    in_tooth: tuple[float, float] = (1200.0, 560.0)
    outside: tuple[float, float] = (1400.0, 500.0)


def bright(
    image: np.ndarray, network: BrightNetwork | None = None, *, windows: bool = True, repair: bool = True
) -> WindowedImage:
    """An image for decoding with a `BrightNetwork` and a cache of its own."""
    network = network or BrightNetwork()
    frame = Frame.of(*image.shape)
    embedding = network.encode(frame.pixels(image), frame)
    network.encoded.clear()
    return WindowedImage(network, image, embedding, WindowCache(), lambda: "bright", windows=windows, repair=repair)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Dice of two masks."""
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())
