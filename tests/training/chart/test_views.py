"""Varied views: where the teeth lie in them, held against masks that are warped pixel by pixel."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from dentasam.data.phantom import generate
from dentasam.model.chart.dentition import IMPLANT, NUMBERS, SUPERNUMERARY_OUTCOME, SUPERNUMERARY_TOOTH, mirrored
from dentasam.model.chart.finder import IMPLANT_KIND, TOOTH
from dentasam.model.chart.shapes import SHAPE, shapes_of
from dentasam.model.core.frame import Frame
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.prompts.correction_clicks import interior_centre
from dentasam.training.chart import views
from dentasam.training.chart.views import MIN_SHOWN, Outline, draw_layout, outlines, unvaried_view, varied_view
from dentasam.training.recipe.chart_recipe import Layout
from dentasam.training.recipe.sections import Augmentation

STILL = Layout(crop=0, zoom=0, stretch=0, shift=0, rotation_deg=0, mirror=0)
# Gray values as they are.
PLAIN = Augmentation(exposure=0)
HEIGHT, WIDTH = 300, 640


def rectangle(x0: int, y0: int, x1: int, y1: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_outlines_are_of_teeth_and_implants_alone() -> None:
    masks = np.stack([rectangle(10, 20, 40, 80), rectangle(50, 20, 60, 40), rectangle(0, 0, 0, 0)] * 2)
    found = outlines(masks, ["36", "restoration", "37", IMPLANT, SUPERNUMERARY_TOOTH, "38"])
    assert [one.category for one in found] == ["36", IMPLANT, SUPERNUMERARY_TOOTH]
    assert (found[0].parts[0].min(0).tolist(), found[0].parts[0].max(0).tolist()) == ([10, 20], [39, 79])
    assert found[0].centre.tolist() == interior_centre(masks[:1])[0].tolist()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_an_unvaried_view_is_the_image_with_the_boxes_of_its_masks(kind: type[np.generic]) -> None:
    phantom = generate(1, 1024, 512)
    image = phantom.image.astype(kind) * (257 if kind is np.uint16 else 1)
    teeth = [one for one in phantom.objects if one.category in NUMBERS]
    objects = outlines(np.stack([one.mask for one in teeth]), [one.category for one in teeth])
    gray, frame, targets = unvaried_view(image, objects)
    assert frame == Frame.of(512, 1024)
    assert np.allclose(gray, unvaried_view(phantom.image, [])[0], atol=0.6)
    assert [NUMBERS[number] for number in targets.numbers] == [one.category for one in teeth]
    for place, one in zip(targets.places, teeth, strict=True):
        rows, columns = np.nonzero(one.mask)
        assert place[:4].tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        x, y = (int(part) for part in place[4:])
        assert one.mask[y, x]
        assert place[4:].tolist() == [x + 0.5, y + 0.5]


def test_boxes_are_in_frame_pixels() -> None:
    _, frame, targets = unvaried_view(
        np.zeros((600, 1280), np.uint8), outlines(rectangle(0, 300, 640, 600, 600, 1280)[None], ["46"])
    )
    assert frame.size == (480, 1024)
    assert targets.places[0, :4].tolist() == [0, 240, 512, 480]


def warped(mask: np.ndarray, matrix: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width) bool: each pixel of the view looked up in the mask."""
    y, x = np.mgrid[:height, :width] + 0.5
    at = np.stack([x, y], axis=-1) @ matrix[:, :2].T + matrix[:, 2]
    columns, rows = np.floor(at[..., 0]).astype(int), np.floor(at[..., 1]).astype(int)
    inside = (columns >= 0) & (columns < mask.shape[1]) & (rows >= 0) & (rows < mask.shape[0])
    found: np.ndarray = np.zeros((height, width), bool)
    found[inside] = mask[rows[inside], columns[inside]]
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mirror", [0.0, 1.0])
def test_boxes_of_a_varied_view_are_those_of_warped_masks(
    monkeypatch: pytest.MonkeyPatch, seed: int, mirror: float
) -> None:
    masks, names = [], []
    for name, (x, y) in {
        "16": (150, 80),
        "11": (300, 90),
        "26": (470, 85),
        "46": (160, 190),
        "31": (330, 200),
    }.items():
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.ellipse(mask, (x, y), (18, 45), 12, 0, 360, 1, -1)
        masks.append(mask.astype(bool))
        names.append(name)
    layout = Layout(mirror=mirror)
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    laid_out = []

    def layout_drawn(*arguments: Any) -> tuple[np.ndarray, int, int]:
        laid_out.append(draw_layout(*arguments))
        return laid_out[0]

    monkeypatch.setattr(views, "draw_layout", layout_drawn)
    objects = outlines(np.stack(masks), names)
    gray, frame, targets = varied_view(image, objects, layout, PLAIN, np.random.default_rng(seed))
    assert gray.shape == frame.size
    ((matrix, height, width),) = laid_out
    assert (frame.height, frame.width) == (height, width)
    seen = dict(zip(targets.numbers.tolist(), targets.places, strict=True))
    for mask, name in zip(masks, names, strict=True):
        shown = warped(mask[:, ::-1] if mirror else mask, matrix, height, width)
        number = NUMBERS.index(mirrored(name) if mirror else name)
        if number not in seen:
            assert shown.sum() < 0.8 * mask.sum() * abs(1 / np.linalg.det(matrix[:, :2]))
            continue
        rows, columns = np.nonzero(shown)
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        scale = np.array([frame.size[1] / width, frame.size[0] / height] * 2)
        assert seen[number][:4] == pytest.approx(box * scale, abs=2 * scale.max())
        x, y = seen[number][4:] / scale[:2]
        assert shown[int(y), int(x)]


def test_a_still_view_is_the_unvaried_one() -> None:
    image = generate(2, 640, 320).image
    objects = outlines(rectangle(100, 100, 140, 200, 320, 640)[None], ["16"])
    gray, frame, targets = varied_view(image, objects, STILL, PLAIN, np.random.default_rng(0))
    plain, own, expected = unvaried_view(image, objects)
    assert frame == own
    assert np.allclose(gray, plain, atol=1e-2)
    assert np.allclose(targets.places, expected.places, atol=1e-4)


def test_a_mirrored_view_swaps_left_and_right_numbers() -> None:
    names = ["16", "21", "75", "84", IMPLANT, SUPERNUMERARY_TOOTH]
    masks = np.stack([rectangle(40 + 90 * place, 100, 80 + 90 * place, 200) for place in range(len(names))])
    image = np.tile(np.linspace(0, 250, WIDTH, dtype=np.uint8), (HEIGHT, 1))
    layout = STILL.model_copy(update={"mirror": 1.0})
    gray, frame, targets = varied_view(image, outlines(masks, names), layout, PLAIN, np.random.default_rng(0))
    numbers = [NUMBERS.index(name) for name in ("26", "11", "85", "74")]
    assert targets.numbers.tolist() == [*numbers, -1, SUPERNUMERARY_OUTCOME]
    assert targets.kinds.tolist() == [TOOTH] * 4 + [IMPLANT_KIND, TOOTH]
    scale = frame.size[1] / WIDTH
    assert targets.places[:, 0] / scale == pytest.approx(
        [WIDTH - 80 - 90 * place for place in range(len(names))], abs=1e-3
    )
    plain = unvaried_view(image, [])[0]
    assert np.allclose(gray, plain[:, ::-1], atol=0.5)


def outline(category: str, x0: float, y0: float, x1: float, y1: float) -> Outline:
    """Of a rectangle that may lie beyond the image."""
    corners = np.array([(x0, y0), (x1 - 1, y0), (x1 - 1, y1 - 1), (x0, y1 - 1)], np.float64)
    return Outline(category, (corners,), corners.mean(0))


def test_teeth_that_a_view_cuts_off_are_left_out() -> None:
    image = np.zeros((512, 1024), np.uint8)
    objects = [
        outline("18", -60, 100, 40, 200),  # the larger part and the centre are beyond the edge
        outline("17", -40, 100, 60, 200),  # the smaller part is
        outline("28", 1000, 100, 1030, 200),
        outline("38", 1040, 100, 1090, 200),
        outline("47", 100, 430, 200, 530),
    ]
    _, _, targets = unvaried_view(image, objects)
    assert [NUMBERS[number] for number in targets.numbers] == ["17", "28", "47"]
    assert targets.places[:, :4].tolist() == [[0, 100, 60, 200], [1000, 100, 1024, 200], [100, 430, 200, 512]]
    assert 0 < MIN_SHOWN < 1


def test_a_view_without_teeth_has_empty_targets() -> None:
    _, _, targets = unvaried_view(np.zeros((100, 200), np.uint8), [])
    assert (targets.places.shape, targets.numbers.shape, targets.kinds.shape) == ((0, 6), (0,), (0,))
    assert targets.shapes.shape == (0, *SHAPE)


def test_shapes_are_those_of_the_masks_in_the_frame() -> None:
    phantom = generate(1, 1024, 512)
    teeth = [one for one in phantom.objects if one.category in NUMBERS]
    masks = np.stack([one.mask for one in teeth])
    objects = outlines(masks, [one.category for one in teeth])
    targets = unvaried_view(phantom.image, objects)[2]
    # Up to what lies in a mask's holes, and the border that polygons round.
    expected = shapes_of([BoxedMask(0, 0, mask) for mask in masks])
    assert np.abs(targets.shapes - expected).mean() < 0.02
    layout = STILL.model_copy(update={"mirror": 1.0})
    _, _, other = varied_view(phantom.image, objects, layout, PLAIN, np.random.default_rng(0))
    assert np.abs(other.shapes - targets.shapes[:, :, ::-1]).mean() < 0.02


def test_a_cut_off_tooth_has_the_shape_of_what_is_seen() -> None:
    mask = np.zeros((512, 1024), bool)
    corners = np.array([(100, 400), (180, 400), (180, 540), (100, 470)])
    cv2.fillPoly(mask.view(np.uint8), [corners], 1)
    cut_off = Outline("46", (corners.astype(np.float64),), np.array([140.0, 430.0]))
    _, _, targets = unvaried_view(np.zeros((512, 1024), np.uint8), [cut_off])
    assert targets.places[0, :4].tolist() == [100, 400, 181, 512]
    assert targets.shapes[0] == pytest.approx(shapes_of([BoxedMask(0, 0, mask)])[0], abs=0.2)


@pytest.mark.parametrize("seed", range(20))
def test_layouts_have_the_shape_of_a_panoramic(seed: int) -> None:
    layout = Layout(crop=0.5, zoom=0.5, stretch=0.3, shift=0.2, rotation_deg=10)
    _, height, width = draw_layout(HEIGHT, WIDTH, layout, np.random.default_rng(seed))
    assert 1.4 < width / height < 2.85
