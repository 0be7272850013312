"""Radiographs as small pictures: their values, and the memory that large ones take."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from dentasam.data.images.pictures import displayable

SHOW = """
import resource, numpy as np
from dentasam.data.images.pictures import displayable
from dentasam.evaluation.overlays import whole_image
side = 3000
def shown(image):
    return whole_image(displayable(image), [np.ones(image.shape, bool)], image.shape[1])
shown(np.full((64, 64), 7, np.uint16))
image = np.full((side, side), 700, np.uint16)
image[:1000] = 9000
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
shown(image)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / image.size)
"""


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (90, 101), (400, 300)])
def test_sixteen_bits_are_cut_at_their_quantiles(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).gamma(3, 2000, shape).clip(0, 65535).astype(np.uint16)
    low, high = np.percentile(image, (0.5, 99.5))
    wanted = np.clip((image - low) / max(high - low, 1.0), 0, 1) * 255
    assert np.abs(displayable(image) - np.floor(wanted)).max() <= 1
    assert (displayable(image) == wanted.astype(np.uint8)).mean() > 0.99


def test_a_picture_of_the_whole_image_takes_a_small_multiple_of_it() -> None:
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) < 14  # bytes for each pixel; the picture itself takes 3
