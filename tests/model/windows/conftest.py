"""A tooth with a filling, for the tests of object windows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import dentasam
from dentasam.model.segmenter import Segmenter

from .scenes import HEIGHT, WIDTH, Scene


@pytest.fixture(scope="session")
def scene() -> Scene:
    tooth, filling = (np.zeros((HEIGHT, WIDTH), np.uint8) for _ in range(2))
    cv2.ellipse(tooth, (1200, 500), (70, 170), 8, 0, 360, 1, -1)
    cv2.ellipse(filling, (1204, 415), (28, 20), 20, 0, 360, 1, -1)
    image = 20 + 110 * tooth + 120 * filling
    return Scene(image.astype(np.uint8), tooth.astype(bool), filling.astype(bool))


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    """The bundled model without an adapter, on the CPU."""
    loaded: Segmenter = dentasam.load("dentasam-tiny", device="cpu", precision="fp32")
    return loaded
