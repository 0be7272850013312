import cv2
import numpy as np
import pytest
import torch

from dentasam.model.core import full_resolution
from dentasam.model.core.frame import Frame
from dentasam.model.core.full_resolution import full_mask, full_masks

SIZES = [(1300, 3100), (1500, 3000), (512, 1024), (300, 611), (700, 97), (1023, 1600)]


def blob(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Logits of one object: positive in a ragged disc anywhere, the image's border included."""
    height, width = frame.logits
    noise = cv2.GaussianBlur(rng.normal(size=(height, width)).astype(np.float32), (0, 0), rng.uniform(1.5, 5))
    y, x = np.mgrid[:height, :width]
    radius = rng.uniform(2, max(3.0, height / 3))
    centre = rng.integers(height), rng.integers(width)
    away = np.hypot(y - centre[0], x - centre[1]) / radius
    logits = np.asarray((4 * noise / noise.std() + 6 - 8 * away).clip(-32, 32), np.float32)
    logits[centre] = 8
    return logits


def whole(logits: np.ndarray, frame: Frame) -> np.ndarray:
    """SAM's two steps over the whole image."""
    return (frame.logits_to_image(torch.from_numpy(logits)[None]) > 0).numpy()[0]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_masks_are_those_of_the_whole_image_to_the_bit(height: int, width: int) -> None:
    frame, rng = Frame.of(height, width), np.random.default_rng(height)
    logits = np.stack([blob(frame, rng) for _ in range(6)])
    expected = np.stack([whole(one, frame) for one in logits])
    assert expected.any(axis=(1, 2)).all()
    assert np.array_equal(full_masks(logits, frame), expected)


def test_strips_of_rows_give_the_same_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_resolution, "STRIP_VALUES", 1000)
    test_masks_are_those_of_the_whole_image_to_the_bit(1300, 3100)


def test_most_masks_need_no_upscaling_of_the_whole_image(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, rng = Frame.of(1300, 3100), np.random.default_rng(0)
    asked = []
    original = Frame.logits_to_image
    monkeypatch.setattr(Frame, "logits_to_image", lambda *given: (asked.append(1), original(*given))[1])
    for _ in range(12):
        # As the model's own: a clear edge, no ripples.
        logits = cv2.GaussianBlur(blob(frame, rng), (0, 0), 2)
        full_mask(logits, frame)
    assert len(asked) <= 8


def test_a_doubtful_pixel_is_left_to_the_whole_image() -> None:
    frame = Frame.of(600, 1500)
    logits = np.full(frame.logits, -3, np.float32)
    logits[10:20, 30:50] = 3  # the zero lies exactly between pixels, many times
    assert np.array_equal(full_masks(logits[None], frame)[0], whole(logits, frame))


def test_nothing_positive_is_an_empty_mask() -> None:
    frame = Frame.of(100, 200)
    assert full_mask(np.full(frame.logits, -1, np.float32), frame)[2].size == 0
    x, y, everything = full_mask(np.full(frame.logits, 1, np.float32), frame)
    assert (x, y, everything.shape) == (0, 0, (100, 200))
    assert everything.all()


def test_a_doubtful_pixel_leaves_the_mask_in_its_box() -> None:
    frame = Frame.of(600, 1500)
    logits = np.full(frame.logits, -3, np.float32)
    logits[10:20, 30:50] = 3
    x, y, mask = full_mask(logits, frame)
    assert mask.size < 0.05 * 600 * 1500
    assert mask.base is None or mask.base.size < 0.05 * 600 * 1500
    assert np.array_equal(mask, whole(logits, frame)[y : y + mask.shape[0], x : x + mask.shape[1]])
