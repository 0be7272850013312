"""Augmentation: image and masks move together, FDI numbers follow the mirror, and the same seed draws the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dentasam.model.chart.dentition import mirrored
from dentasam.training.recipe.sections import Augmentation
from dentasam.training.samples.augmentation import Variation, draw, vary_category, vary_image, vary_masks
from dentasam.training.samples.exposure import Exposure

SIZE = (96, 160)


def disc(y: float, x: float, radius: float) -> torch.Tensor:
    rows, cols = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    return (((rows - y) ** 2 + (cols - x) ** 2) < radius**2).float()


def centre(plane: torch.Tensor) -> tuple[float, float]:
    """y and x of the mean position."""
    rows, cols = torch.meshgrid(*(torch.arange(length).float() for length in plane.shape), indexing="ij")
    return float((plane * rows).sum() / plane.sum()), float((plane * cols).sum() / plane.sum())


@pytest.mark.parametrize(
    ("number", "other"),
    [("11", "21"), ("28", "18"), ("36", "46"), ("44", "34"), ("51", "61"), ("65", "55"), ("75", "85")],
)
def test_mirrored_tooth(number: str, other: str) -> None:
    assert mirrored(number) == other
    assert mirrored(other) == number
    assert vary_category(number, Variation()) == number


@pytest.mark.parametrize("category", ["caries", "1", "111", "91", "19", "10", "", "1a"])
def test_what_is_no_fdi_number_stays(category: str) -> None:
    assert mirrored(category) == category


def test_unchanged_is_exact() -> None:
    gray, masks = torch.rand(SIZE) * 255, torch.rand(2, *SIZE)
    torch.testing.assert_close(vary_image(gray, Variation()), gray)
    assert torch.equal(vary_masks(masks, Variation(), SIZE), masks)


@pytest.mark.parametrize(
    "variation",
    [
        Variation(flip=True),
        Variation(angle=12),
        Variation(scale=1.2),
        Variation(flip=True, angle=-20, scale=0.8),
    ],
)
def test_masks_move_as_the_image_does(variation: Variation) -> None:
    gray = disc(40, 50, 14)
    moved = vary_image(gray * 255, variation) / 255
    half = torch.nn.functional.avg_pool2d(gray[None], 2)
    mask = vary_masks(half, variation, SIZE)[0]
    expected = torch.nn.functional.avg_pool2d(moved[None], 2)[0]
    overlap = 2 * torch.minimum(mask, expected).sum() / (mask.sum() + expected.sum())
    assert overlap > 0.97
    y, x = centre(moved)
    half_y, half_x = centre(mask)
    assert (2 * half_y + 0.5, 2 * half_x + 0.5) == (pytest.approx(y, abs=0.15), pytest.approx(x, abs=0.15))


def test_geometry_has_the_stated_size_and_sense() -> None:
    y, x = centre(vary_image(disc(47.5, 79.5 + 40, 8), Variation(angle=30)))
    # counter-clockwise about the centre, y pointing down
    assert y == pytest.approx(47.5 - 40 * np.sin(np.pi / 6), abs=0.3)
    assert x == pytest.approx(79.5 + 40 * np.cos(np.pi / 6), abs=0.3)
    y, x = centre(vary_image(disc(47.5, 79.5 + 40, 8), Variation(scale=1.25)))
    assert x == pytest.approx(79.5 + 50, abs=0.3)
    area = vary_masks(disc(47.5, 79.5, 16)[None], Variation(scale=1.25), SIZE).sum()
    assert float(area / disc(47.5, 79.5, 16).sum()) == pytest.approx(1.25**2, rel=0.02)
    y, x = centre(vary_image(disc(40, 50, 9), Variation(flip=True)))
    assert (y, x) == (pytest.approx(40), pytest.approx(SIZE[1] - 1 - 50))


def test_the_exposure_is_part_of_the_variation() -> None:
    gray = torch.full(SIZE, 64.0)
    gray[:, 80:] = 192.0
    varied = vary_image(gray, Variation(flip=True, exposure=Exposure(gamma=2.0)))
    torch.testing.assert_close(varied, ((gray / 255) ** 2 * 255).flip(1))


def test_draws_stay_in_range_and_follow_the_seed() -> None:
    settings = Augmentation(flip=0.5, rotation_deg=7, scale=0.2, clahe=4, jpeg=50)
    draws = [draw(settings, np.random.default_rng([1, index])) for index in range(400)]
    assert draws == [draw(settings, np.random.default_rng([1, index])) for index in range(400)]
    assert 0.4 < np.mean([d.flip for d in draws]) < 0.6
    for name, low, high in [
        ("angle", -7, 7),
        ("scale", 1 / 1.2, 1.2),
    ]:
        values = np.array([getattr(d, name) for d in draws])
        assert values.min() >= low
        assert values.max() <= high
        assert np.ptp(values) > 0.9 * (high - low), name


def test_all_off_draws_nothing() -> None:
    off = Augmentation(**dict.fromkeys(Augmentation.model_fields, 0) | {"exposure": 1})
    assert not off.changes_pixels
    assert not Augmentation(rotation_deg=0, scale=0, exposure=0).changes_pixels
    drawn = draw(off, np.random.default_rng(0))
    assert replace(drawn, exposure=Exposure()) == Variation()
    gray = torch.rand(SIZE) * 255
    torch.testing.assert_close(vary_image(gray, drawn), gray)


@pytest.mark.parametrize("name", [name for name in Augmentation.model_fields if name not in ("flip", "exposure")])
def test_every_other_range_changes_pixels(name: str) -> None:
    settings = Augmentation(
        **dict.fromkeys(Augmentation.model_fields, 0) | {"exposure": 1, name: 50 if name == "jpeg" else 0.5}
    )
    assert settings.changes_pixels
    gray = torch.rand(SIZE) * 255
    varied = [vary_image(gray, draw(settings, np.random.default_rng(seed))) for seed in range(20)]
    assert any((one - gray).abs().max() > 1 for one in varied)
