"""Copies of a picture are found, other patients are not; across the parts of a split a copy is an error."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from dentasam.data.phantom import generate
from dentasam.data.quality.check import check_datasets
from dentasam.data.quality.pixels.near_duplicates import Fingerprint, Fingerprints, Twin, fingerprint

from ..phantom_set import HEIGHT, WIDTH, Change, kinds, save, write_set

OTHERS = range(40)


def jpeg(pixels: np.ndarray) -> np.ndarray:
    coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))


CHANGES: dict[str, Change] = {
    "saved as JPEG": jpeg,
    "half the size": lambda pixels: cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "brighter": lambda pixels: (255 * (pixels / 255) ** 0.7).astype(np.uint8),
    "16 bits": lambda pixels: pixels.astype(np.uint16) * 200,
    "cut a little": lambda pixels: pixels[3:-3, 5:-5],
    "mirrored": lambda pixels: pixels[:, ::-1],
}


@pytest.fixture(scope="module")
def others() -> list[np.ndarray]:
    return [generate(seed, WIDTH, HEIGHT).image for seed in OTHERS]


def twins(pictures: list[np.ndarray]) -> list[Twin]:
    all_fingerprints = Fingerprints()
    for picture in pictures:
        all_fingerprints.add(fingerprint(np.ascontiguousarray(picture)))
    return list(all_fingerprints.twins())


def test_different_phantoms_are_not_copies(others: list[np.ndarray]) -> None:
    assert twins(others) == []


@pytest.mark.parametrize("name", CHANGES)
def test_a_copy_is_found(others: list[np.ndarray], name: str) -> None:
    copy = CHANGES[name](others[5])
    assert twins([*others, copy]) == [Twin(len(others), 5, name == "mirrored")]


def test_constant_pictures_have_no_copy() -> None:
    assert twins([np.full((200, 400), level, np.uint8) for level in (0, 0, 9)]) == []


def test_hashes_are_compared_across_blocks() -> None:
    rng = np.random.default_rng(0)
    details = rng.integers(-127, 128, (600, 32, 64)).astype(np.int8)
    all_fingerprints = Fingerprints()
    hashes = [int(value) for value in rng.integers(0, 2**63, 600)]
    hashes[599], details[599] = hashes[3] ^ 0b111, details[3]
    for value, detail in zip(hashes, details, strict=True):
        all_fingerprints.add(Fingerprint(value, value ^ (2**64 - 1), detail))
    assert list(all_fingerprints.twins()) == [Twin(599, 3, False)]


def test_copies_within_a_dataset_are_a_warning(tmp_path: Path) -> None:
    path = write_set(tmp_path, "set", [1, 2, 3, 4])
    assert kinds(path) == []
    save(tmp_path / "images/set-4.png", jpeg(generate(1, WIDTH, HEIGHT).image))
    assert kinds(path) == [(4, "near-duplicate")]


def test_copies_across_a_split_are_errors(tmp_path: Path) -> None:
    train = write_set(tmp_path, "train", [1, 2, 3])
    val = write_set(tmp_path, "val", [7, 2], jpeg)
    test = write_set(tmp_path, "test", [1, 9])
    check = check_datasets([train, val, test])
    assert check.problems[train] == []
    (near,), (equal,) = check.problems[val], check.problems[test]
    assert near.severity == equal.severity == "error"
    assert near.line(val) == (
        f"{val}: image 2: images/val-2.png shows the same as images/train-2.png (image 2) of {train}; "
        "keep it in one of them, or the part that measures holds what was trained on"
    )
    assert equal.what == f"images/test-1.png is the same image as images/train-1.png (image 1) of {train}"
    assert check.errors == 2
    # An image with a leak can still be shown to a model.
    assert len(check.sound_images) == 7


def test_a_dataset_named_twice_is_checked_once(tmp_path: Path) -> None:
    path = write_set(tmp_path, "set", [1, 2])
    assert check_datasets([path, path]).errors == 0
