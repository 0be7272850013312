"""Layouts of films: anatomy and image stay each other's inverse; mirror images keep the truth."""

import numpy as np
import pytest

from dentasam.data.phantom import Phantom, generate
from dentasam.data.phantom.layout import draw_any_layout
from dentasam.data.phantom.scene import Geometry


def layouts(count: int, width: int = 1024, height: int = 512) -> list[Geometry]:
    drawn = []
    for seed in range(count):
        rng = np.random.default_rng([seed, 3])
        drawn.append(draw_any_layout(rng, Geometry.draw(rng, height, width)))
    return drawn


def test_the_grid_is_the_inverse_of_the_way_to_the_image() -> None:
    for geometry in layouts(20, 300, 150):
        x, y = geometry.grid(2)
        inside = (np.abs(x) < 0.75) & (np.abs(y - 0.5) < 0.6)
        assert inside.any()
        pixels = geometry.to_image(np.stack([x[inside], y[inside]], -1).astype(np.float64))
        rows, columns = np.nonzero(inside)
        np.testing.assert_allclose(pixels[:, 0], 2 * columns + 0.5, atol=0.05)
        np.testing.assert_allclose(pixels[:, 1], 2 * rows + 0.5, atol=0.05)


def test_teeth_keep_their_order_in_every_layout() -> None:
    line = np.stack([np.linspace(-0.75, 0.75, 200), np.full(200, 0.54)], 1)
    for geometry in layouts(200):
        assert (np.diff(geometry.to_image(line)[:, 0]) > 0).all()


@pytest.mark.parametrize("aspect", [1.6, 2.6])
def test_layouts_vary_in_size_place_and_bend(aspect: float) -> None:
    width, height = round(aspect * 400), 400
    shares, centres, bends = [], [], []
    for geometry in layouts(60, width, height):
        left, middle, right = geometry.to_image(np.array([[-0.59, 0.54], [0.0, 0.54], [0.59, 0.54]]))
        shares.append((right[0] - left[0]) / width)
        centres.append((middle[0] - width / 2) / width)
        bends.append(((left[1] + right[1]) / 2 - middle[1]) / height)
    assert min(shares) < 0.65
    assert max(shares) > 0.85
    assert max(np.abs(centres)) < 0.25
    assert min(bends) < -0.04
    assert max(bends) > 0.04


def test_a_seed_fixes_every_bit_of_any_dentition_and_layout() -> None:
    for seed in range(3):
        first, again = (generate(seed, 512, 256, dentition="any", layout="any") for _ in range(2))
        same(first, again)
        assert any(item.category.isdigit() for item in first.objects)
        assert all(item.mask.shape == (256, 512) and item.mask.any() for item in first.objects)


def test_mirrored_twice_is_the_same_and_once_has_the_numbers_of_the_other_side() -> None:
    phantom = generate(2, 512, 256, dentition="mixed")
    once = phantom.mirrored()
    same(phantom, once.mirrored())
    assert np.array_equal(once.image, phantom.image[:, ::-1])
    for item, other in zip(phantom.objects, once.objects, strict=True):
        assert np.array_equal(other.mask, item.mask[:, ::-1])
        if not item.category.isdigit():
            assert other.category == item.category
            continue
        assert other.category[1] == item.category[1]
        assert {int(item.category[0]), int(other.category[0])} in ({1, 2}, {3, 4}, {5, 6}, {7, 8})
        left = np.nonzero(other.mask)[1].mean() < 256
        if other.category[1] != "1":  # in doubt only at the midline
            assert left == (other.category[0] in "1458")


def same(first: Phantom, second: Phantom) -> None:
    assert np.array_equal(first.image, second.image)
    assert first.tags == second.tags
    assert [item.category for item in first.objects] == [item.category for item in second.objects]
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(first.objects, second.objects, strict=True))
