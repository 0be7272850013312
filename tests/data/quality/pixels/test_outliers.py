"""Images that differ from the others: blurred, upside down, on their side."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from dentasam.data.phantom import generate
from dentasam.data.quality.pixels.near_duplicates import fingerprint
from dentasam.data.quality.pixels.outliers import MIN_IMAGES, MIN_SHARPNESS, least_sharpness, upside_down
from dentasam.data.record import ImageRecord

from ..phantom_set import HEIGHT, WIDTH, kinds, write_set


def details(turned: set[int], count: int = MIN_IMAGES) -> np.ndarray:
    pictures = [generate(seed, WIDTH, HEIGHT).image for seed in range(count)]
    flipped = [picture[::-1] if place in turned else picture for place, picture in enumerate(pictures)]
    return np.array([fingerprint(np.ascontiguousarray(picture)).small for picture in flipped])


def test_upside_down_among_others() -> None:
    assert np.flatnonzero(upside_down(details({4, 7}))).tolist() == [4, 7]
    assert not upside_down(details({4}, MIN_IMAGES - 1)).any()
    assert upside_down(np.zeros((0, 32, 64), np.int8)).tolist() == []


def test_the_usual_sharpness_counts_where_it_is_known() -> None:
    assert least_sharpness(np.full(MIN_IMAGES, 0.8), 0.9) == 0.9 * 0.8
    assert least_sharpness(np.full(MIN_IMAGES - 1, 0.8), 0.9) == MIN_SHARPNESS
    assert least_sharpness(np.full(MIN_IMAGES, 0.4), 0.9) == MIN_SHARPNESS


def test_a_blurred_image_is_a_warning(tmp_path: Path) -> None:
    sound = write_set(tmp_path, "sound", [1, 2])
    blurred = write_set(tmp_path, "blurred", [1], lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 2))
    assert kinds(sound) == []
    assert kinds(blurred) == [(1, "sharpness")]


def test_a_quarter_turn_is_a_warning(tmp_path: Path) -> None:
    def without_objects(record: ImageRecord) -> ImageRecord:
        return replace(record, objects=(), width=record.height, height=record.width)

    path = write_set(tmp_path, "set", [1], lambda pixels: np.ascontiguousarray(pixels.T), without_objects)
    assert (1, "turned") in kinds(path)
