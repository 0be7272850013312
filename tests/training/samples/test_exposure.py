"""Exposures: each changes gray values as stated, in its range, and the same for the same seed."""

import cv2
import numpy as np
import pytest

from dentasam.training.recipe.sections import Augmentation
from dentasam.training.samples.exposure import Exposure, draw_exposure, exposed, processed

SIZE = (96, 160)


def halves() -> np.ndarray:
    gray = np.full(SIZE, 64, np.float32)
    gray[:, 80:] = 192
    return gray


def texture() -> np.ndarray:
    """Smooth structure, as a radiograph has, in 30..220."""
    field = cv2.resize(np.random.default_rng(0).random((13, 21), dtype=np.float32), SIZE[::-1])
    return np.asarray(30 + 190 * field, np.float32)


def test_the_default_changes_nothing() -> None:
    gray = texture()
    assert np.array_equal(processed(gray, Exposure()), gray)
    np.testing.assert_allclose(exposed(gray, Exposure()), gray, atol=1e-4)


def test_gamma_contrast_and_offset_by_hand() -> None:
    gray = halves()
    np.testing.assert_allclose(exposed(gray, Exposure(gamma=2.0)), (gray / 255) ** 2 * 255, atol=1e-3)
    flat = exposed(gray, Exposure(contrast=0.5))
    assert (float(flat[0, 0]), float(flat[0, -1])) == (pytest.approx(96), pytest.approx(160))
    np.testing.assert_allclose(exposed(gray, Exposure(offset=0.1)), gray + 25.5, atol=1e-3)
    bright = exposed(gray, Exposure(contrast=3.0, noise=0.5))
    assert bright.min() >= 0
    assert bright.max() <= 255


def test_tilt_and_vignette_are_those_from_the_middle_to_the_edges() -> None:
    gray = np.full((5, 7), 100, np.float32)
    tilted = exposed(gray, Exposure(tilt=(0.1, -0.05)))
    assert tilted[2, 3] == pytest.approx(100)
    assert (tilted[2, 6], tilted[2, 0]) == (pytest.approx(125.5), pytest.approx(74.5))
    assert (tilted[4, 3], tilted[0, 3]) == (pytest.approx(87.25), pytest.approx(112.75))
    dim = exposed(gray, Exposure(vignette=-0.1))
    assert dim[2, 3] == pytest.approx(100)
    assert dim[2, [0, 6]] == pytest.approx([74.5] * 2)
    assert dim[0, 0] == pytest.approx(49)


def test_blur_softens_and_sharpening_overshoots_at_an_edge() -> None:
    gray = halves()
    soft = exposed(gray, Exposure(blur=2.0))
    assert soft.mean() == pytest.approx(gray.mean(), rel=0.01)
    assert np.abs(np.diff(soft, axis=1)).max() < 0.3 * 128
    sharp = exposed(gray, Exposure(sharpen=1.0, sharpen_radius=2.0))
    np.testing.assert_allclose(sharp, np.clip(2 * gray - soft, 0, 255), atol=1e-2)
    assert sharp.max() > 220


def test_grain_has_its_deviation_and_coarse_grain_its_neighbours() -> None:
    gray = np.full(SIZE, 128, np.float32)
    beside = []
    for coarse in (False, True):
        grain = exposed(gray, Exposure(noise=0.05, coarse=coarse, noise_seed=3)) - 128
        assert grain.std() == pytest.approx(0.05 * 255, rel=0.05)
        beside.append(float(np.corrcoef(grain[:, :-1].ravel(), grain[:, 1:].ravel())[0, 1]))
    assert abs(beside[0]) < 0.05
    assert beside[1] > 0.5


def test_a_tone_curve_goes_through_its_knots() -> None:
    ramp = np.array([[0, 51, 102, 127.5, 255]], np.float32)
    curve = (0.0, 0.1, 0.5, 0.6, 0.9, 1.0)
    np.testing.assert_allclose(processed(ramp, Exposure(tone=curve)), [[0, 25.5, 127.5, 140.25, 255]], atol=0.01)


def test_compression_is_that_of_the_quality() -> None:
    gray = texture()
    far = [np.abs(processed(gray, Exposure(jpeg=quality)) - gray).mean() for quality in (95, 25)]
    assert far[0] < 1 < far[1] < 10
    _, coded = cv2.imencode(".jpg", np.rint(gray).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 25])
    expected = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))
    assert np.array_equal(processed(gray, Exposure(jpeg=25)), expected)


def test_local_equalisation_spreads_the_gray_values_of_a_dull_image() -> None:
    dull = 100 + texture() / 10
    equal = processed(dull, Exposure(clahe=4.0, clahe_tiles=4))
    assert equal.std() > 1.5 * dull.std()
    assert 0 <= equal.min() < equal.max() <= 255
    assert len(np.unique(equal)) > 256  # finer than 8 bits


def test_draws_stay_in_range_and_follow_the_seed() -> None:
    settings = Augmentation(
        gamma=0.3, contrast=0.4, noise=0.05, blur=1.5, offset=0.1, sharpen=1.2, tilt=0.07, vignette=0.06, tone=0.5,
        clahe=4.0, jpeg=70,
    )  # fmt: skip
    draws = [draw_exposure(settings, np.random.default_rng([1, index])) for index in range(600)]
    assert draws == [draw_exposure(settings, np.random.default_rng([1, index])) for index in range(600)]
    for name, low, high in [
        ("gamma", 1 / 1.3, 1.3),
        ("contrast", 1 / 1.4, 1.4),
        ("noise", 0, 0.05),
        ("blur", 0, 1.5),
        ("sharpen", 0, 1.2),
        ("offset", -0.1, 0.1),
        ("tilt", -0.07, 0.07),
        ("vignette", -0.06, 0.06),
        ("clahe", 0, 4.0),
        ("jpeg", 30, 100),
    ]:
        values = np.array([getattr(d, name) for d in draws])
        assert values.min() >= low, name
        assert values.max() <= high, name
        assert np.ptp(values) > 0.9 * (high - low), name
    curves = np.array([d.tone for d in draws if d.tone])
    assert 0.4 < len(curves) / 600 < 0.6
    assert (np.diff(curves, axis=1) >= 0).all()
    assert np.abs(curves - np.linspace(0, 1, 6)).max() <= 0.5
    assert not any(d.blur and d.sharpen for d in draws)


def test_a_share_of_the_images_is_varied() -> None:
    settings = Augmentation(exposure=0.7)
    varied = [draw_exposure(settings, np.random.default_rng([2, index])) != Exposure() for index in range(400)]
    assert 0.6 < np.mean(varied) < 0.8
