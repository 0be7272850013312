import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dentasam.model.core.frame import PIXEL_MEAN, PIXEL_STD, Frame


def test_a_two_to_one_panoramic_has_half_the_square_grid() -> None:
    frame = Frame.of(1500, 3000)
    assert (frame.rows, frame.cols) == (32, 64)
    assert frame.padded == (512, 1024)
    assert frame.logits == (128, 256)


def test_padding_is_less_than_a_patch() -> None:
    frame = Frame.of(512, 904)
    assert frame.size == (580, 1024)
    assert frame.padded == (592, 1024)


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_longest_side_is_1024_and_padding_below_a_patch(height: int, width: int) -> None:
    frame = Frame.of(height, width)
    assert max(frame.size) == 1024
    for padded, size in zip(frame.padded, frame.size, strict=True):
        assert 0 <= padded - size < 16


@given(st.integers(50, 3000), st.integers(50, 3000), st.floats(0, 1), st.floats(0, 1))
def test_points_go_to_the_frame_and_back(height: int, width: int, x: float, y: float) -> None:
    frame = Frame.of(height, width)
    point = np.array([[x * width, y * height]])
    assert np.allclose(frame.points_to_image(frame.points_to_frame(point)), point, atol=1e-2)


def test_no_empty_image() -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        Frame.of(0, 10)


def test_pixels_are_normalised_and_padded_with_zeros() -> None:
    frame = Frame.of(512, 904)
    pixels = frame.pixels(np.full((512, 904), 100, np.uint8))
    assert pixels.shape == (1, 3, 592, 1024)
    expected = (100 - torch.tensor(PIXEL_MEAN)) / torch.tensor(PIXEL_STD)
    assert torch.allclose(pixels[0, :, 300, 500], expected, atol=1e-5)
    assert (pixels[0, :, 580:] == 0).all()


def test_sixteen_bits_keep_their_shades() -> None:
    image = np.arange(1024 * 512, dtype=np.uint32).reshape(512, 1024) % 65536
    pixels = Frame.of(512, 1024).pixels(image.astype(np.uint16))
    gray = pixels[0, 0] * PIXEL_STD[0] + PIXEL_MEAN[0]
    assert torch.allclose(gray, torch.from_numpy(image.astype(np.float32)) * 255 / 65535, atol=1e-2)


def test_pixels_refuse_another_size() -> None:
    with pytest.raises(ValueError, match="frame is for"):
        Frame.of(512, 1024).pixels(np.zeros((100, 100), np.uint8))


def test_masks_go_to_logits_and_back() -> None:
    frame = Frame.of(512, 904)
    masks = np.zeros((2, 512, 904), bool)
    masks[0, 100:300, 200:420] = True
    masks[1, 400:512, 800:904] = True
    coverage = frame.masks_to_logits(masks)
    assert coverage.shape == (2, *frame.logits)
    back = (frame.logits_to_image(coverage - 0.5) > 0).numpy()
    for mask, again in zip(masks, back, strict=True):
        assert 2 * (mask & again).sum() / (mask.sum() + again.sum()) > 0.985


@pytest.mark.parametrize(("height", "width"), [(769, 1537), (512, 904), (1250, 2900), (257, 513)])
def test_coverage_of_finer_cells_keeps_the_area(height: int, width: int) -> None:
    """769 x 1537 is 512.3 rows in the frame: 512 pixels, although twice as many would be 1025."""
    frame = Frame.of(height, width)
    masks = np.zeros((1, height, width), bool)
    masks[0, height // 3 :, width // 3 : width // 2] = True
    coverage = frame.coverage(masks, 2)
    assert coverage.shape == (1, 8 * frame.rows, 8 * frame.cols)
    assert 4 * coverage.sum().item() == pytest.approx(masks.sum() * frame.scale**2, rel=3e-3)


def test_logit_points_are_centres_in_the_frame() -> None:
    frame = Frame(256, 256, 1.0, 16, 16, top=3, left=5)
    assert frame.logit_points_to_frame(np.array([0, 2])).tolist() == [5 * 16 + 1.5, 3 * 16 + 8 + 1.5]
