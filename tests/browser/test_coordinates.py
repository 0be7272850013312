"""Whatever the zoom, the place and the pixel density: pointer, masks and picture agree on the pixel."""

import numpy as np
import pytest

from .desk import Desk, Open
from .painting import swept
from .worklist import WorkList


def zoomed(desk: Desk) -> None:
    """Zooms in with the wheel at a point, which stays where it is, and pans with the middle button."""
    page = desk.page
    place = desk.place(610, 140)
    (before,) = desk.points([place])
    page.mouse.move(*place)
    while (zoom := desk.view()["zoom"]) < 5:
        page.mouse.wheel(0, -250)
        desk.until(f"dentasam.stage.view.zoom > {zoom}")
    assert desk.points([place])[0] == pytest.approx(before, abs=1e-6)
    page.mouse.down(button="middle")
    page.mouse.move(place[0] - 90, place[1] + 70)
    page.mouse.up(button="middle")
    assert desk.points([(place[0] - 90, place[1] + 70)])[0] == pytest.approx(before, abs=1e-6)


@pytest.mark.parametrize("density", [1, 2])
@pytest.mark.parametrize("close", [False, True], ids=["fitted", "zoomed"])
def test_dab_click_and_reading_at_one_pixel(open_desk: Open, worklist: WorkList, density: int, close: bool) -> None:
    desk = open_desk(device_scale_factor=density)
    assert desk.view()["dpr"] == density
    if close:
        zoomed(desk)
    image = worklist.radiograph >> 8
    desk.tool("b", size=1)
    ((x, y),) = desk.stroke([(610.5, 140.5)])
    column, row = int(x), int(y)
    assert np.argwhere(desk.mask()).tolist() == [[row, column]]
    reading = desk.page.get_by_test_id("reading").text_content()
    assert reading == f"{column}, {row} · {image[row, column]}"

    desk.tool("c")
    desk.page.evaluate("() => { dentasam.stage.on('click', (click) => { window.clicked = click; }); }")
    hit = desk.click(612.5, 143.5)
    clicked = desk.page.evaluate("() => window.clicked")
    assert (clicked["x"], clicked["y"]) == pytest.approx(hit, abs=1e-9)
    assert (round(hit[0]), round(hit[1])) == (612, 143) or not close


@pytest.mark.parametrize("renderer", ["webgl2", "canvas2d"])
@pytest.mark.parametrize("density", [1, 2])
def test_masks_show_where_they_are(open_desk: Open, density: int, renderer: str) -> None:
    desk = open_desk(device_scale_factor=density, renderer=renderer)
    zoomed(desk)
    desk.tool("b", size=16)
    desk.choose("brush-shape")
    path = desk.stroke([(605.0, 140.0), (625.0, 140.0)])
    mask = desk.mask()
    assert np.array_equal(mask, swept(path, 16, "square", desk.shape))
    desk.page.mouse.move(5, 5)
    desk.page.get_by_test_id("opacity").fill("100")
    desk.page.get_by_test_id("outline-opacity").fill("0")
    picture = desk.picture().astype(int)
    colour = picture.max(axis=2) - picture.min(axis=2)
    shown = desk.seen(mask)
    assert shown.sum() > 10_000 * density
    # The border is drawn smoothly: a pixel of the screen counts where half of it is covered; corners are rounded.
    coloured = colour > np.median(colour[shown]) / 2
    assert (coloured ^ shown).sum() < 0.01 * shown.sum()


def test_fit_and_one_to_one(desk: Desk) -> None:
    desk.tool("b")
    desk.press("Shift+F")
    assert desk.view()["zoom"] == pytest.approx(1)
    desk.press("f")
    view, box = desk.view(), desk.stage.bounding_box()
    assert box is not None
    height, width = desk.shape
    assert view["x"] >= 0
    assert view["y"] >= 0
    assert view["x"] + width * view["zoom"] <= box["width"] + 1e-6
    assert view["y"] + height * view["zoom"] <= box["height"] + 1e-6
    assert view["x"] == pytest.approx((box["width"] - width * view["zoom"]) / 2)
