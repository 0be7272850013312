"""The picture: tooth numbers, the active object, smooth outlines, the window it opens with, and honest readings."""

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from dentasam.data.phantom import generate

from .desk import Desk, Open
from .serving import Server

LABELS = """() => dentasam.stage.shownLabels.map(({ id, text, active, x, y, width, height }) => (
    { id, text, active, x, y, width, height }
))"""


def painted(desk: Desk, *, column: float, number: str) -> str:
    desk.tool("b", size=44)
    desk.press("Shift+N")
    desk.stroke([(column, 150.0), (column, 260.0)])
    desk.press(*number)
    return desk.active or ""


def test_numbers_stand_on_their_teeth_at_every_zoom_and_can_be_switched_off(desk: Desk) -> None:
    ids = {
        painted(desk, column=300 + 60 * index, number=number): number
        for index, number in enumerate(("36", "35", "34"))
    }
    for key in ("f", "+", "+", "+", "+", "-", "-", "-", "-", "-", "-"):
        desk.press(key)
        desk.page.evaluate("() => dentasam.stage.drawn()")
        labels = desk.page.evaluate(LABELS)
        assert {label["id"]: label["text"] for label in labels} == ids
        view = desk.view()
        for label in labels:
            x, y = ((label[axis] - view[axis]) / view["zoom"] for axis in ("x", "y"))
            assert desk.mask(label["id"])[int(y), int(x)], key
        for a in labels:
            for b in labels:
                apart = abs(a["x"] - b["x"]) >= (a["width"] + b["width"]) / 2 or abs(a["y"] - b["y"]) >= a["height"]
                assert a is b or apart
    assert [label["text"] for label in desk.page.evaluate(LABELS) if label["active"]] == ["34"]

    switch = desk.page.get_by_test_id("numbers")
    expect(switch).to_be_checked()
    desk.press("t")
    expect(switch).not_to_be_checked()
    desk.page.evaluate("() => dentasam.stage.drawn()")
    assert desk.page.evaluate(LABELS) == []
    switch.check()
    desk.page.evaluate("() => dentasam.stage.drawn()")
    assert len(desk.page.evaluate(LABELS)) == 3
    # They are of the picture: a peek hides them, and a hidden object has none.
    desk.stage.focus()
    desk.press("h")
    desk.page.evaluate("() => dentasam.stage.drawn()")
    assert {label["text"] for label in desk.page.evaluate(LABELS)} == {"36", "35"}
    desk.page.keyboard.down("Space")
    desk.page.evaluate("() => dentasam.stage.drawn()")
    assert desk.page.evaluate(LABELS) == []
    desk.page.keyboard.up("Space")


def test_the_active_object_has_a_white_rim(drawn_desk: Desk) -> None:
    desk = drawn_desk
    painted(desk, column=300, number="36")
    painted(desk, column=420, number="46")
    desk.page.mouse.move(5, 5)

    def whites(column: float) -> int:
        x, y = desk.place(column, 205.0)
        view = desk.view()
        row = desk.picture()[int(y - view["top"]), int(x - view["left"]) - 60 : int(x - view["left"]) + 60].astype(
            int
        )
        return int((row.min(axis=1) > 130).sum())

    bare = desk.page.evaluate("() => dentasam.stage.setLevels({ low: 300, high: 900 })")  # a black picture
    assert bare is None
    assert whites(300) == 0
    assert whites(420) >= 2
    desk.press("Shift+Tab")
    assert (whites(300) >= 2) != (whites(420) >= 2)


def test_an_outline_is_no_staircase_where_pixels_are_large(drawn_desk: Desk) -> None:
    """A slanted edge at 16 screen pixels a pixel: from column to column it moves by little."""
    desk = drawn_desk
    desk.tool("l")
    desk.stroke([(300.0, 150.0), (480.0, 213.0), (480.0, 330.0), (300.0, 330.0)])
    mask = desk.mask()
    desk.press("Escape")
    desk.page.mouse.move(5, 5)
    desk.page.evaluate(
        """() => {
            const { view } = dentasam.stage;
            view.zoomAt(0, 0, 16 / view.zoom);
            view.centreOn([390, 181]);
            dentasam.stage.viewMoved();
            dentasam.stage.setLevels({ low: 300, high: 900 });
            dentasam.stage.setAppearance({ fill: 1, outline: 0 });
        }"""
    )
    picture = desk.picture().astype(float).max(axis=2)
    shown = picture / picture.max()
    # Where the edge is, from how much of each column is covered.
    columns = shown[:, 300:700]
    height = columns.sum(axis=0)
    assert np.abs(np.diff(height)).max() < 4
    # The mask itself keeps its pixels: on the screen they would be steps of 16.
    truth = desk.seen(mask)[:, 300:700].sum(axis=0)
    assert np.abs(np.diff(truth)).max() >= 15
    assert np.abs(height - truth).max() <= 16


def dull(bits: int) -> np.ndarray:
    """A radiograph (256, 512) of little contrast, with a black edge at its top."""
    image = generate(7, width=512, height=256).image.astype(np.float64)
    low, high = (70, 150) if bits == 8 else (900, 3800)
    found: np.ndarray = (low + (high - low) * image / image.max()).astype(np.uint8 if bits == 8 else np.uint16)
    found[:20] = 0
    return found


@pytest.fixture(scope="module")
def dull_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("dull") / "images"
    folder.mkdir()
    for bits in (8, 16):
        Image.fromarray(dull(bits)).save(folder / f"{bits}.png")
    running = Server(folder).start()
    yield running
    running.stop()


@pytest.mark.parametrize("bits", [8, 16])
def test_an_image_opens_with_a_window_that_fits_its_histogram(
    open_desk: Open, dull_images: Server, bits: int
) -> None:
    desk = open_desk(server=dull_images, case=dull_images.case(f"{bits}.png"))
    fitted = desk.page.evaluate("() => [dentasam.stage.levels.low, dentasam.stage.levels.high]")
    assert desk.page.evaluate("() => dentasam.stage.image.bits") == bits
    pixels = np.frombuffer(dull_images.get(f"/api/cases/{desk.case}/pixels").content, "<u2" if bits == 16 else "u1")
    tissue = pixels[pixels > pixels.min()]
    span = float(tissue.max() - tissue.min())
    assert abs(fitted[0] - np.percentile(tissue, 1)) < 0.1 * span
    assert abs(fitted[1] - np.percentile(tissue, 99.7)) < 0.1 * span
    # The tissue takes most of the greys on the screen.
    desk.page.mouse.move(5, 5)
    shown = desk.picture()[..., 0][desk.seen(np.ones(desk.shape, bool))]
    assert np.percentile(shown, 95) - np.percentile(shown, 15) > 120

    for again in ("key", "button"):
        desk.page.get_by_test_id("window").fill("20")
        desk.page.get_by_test_id("gamma").fill("2")
        desk.stage.focus()
        if again == "key":
            desk.press("a")
        else:
            desk.choose("fit-window")
        levels = desk.page.evaluate("() => dentasam.stage.levels")
        assert [levels["low"], levels["high"], levels["gamma"]] == [*fitted, 2]


def test_smoothing_at_full_size_has_a_strength_and_can_be_taken_back(
    desk: Desk, open_desk: Open, server: Server
) -> None:
    large = open_desk(case=server.case("large.png"))
    large.tool("l")
    ragged = [
        (1000.0 + 260 * (i % 2) * 0.06 + (0 if i < 20 else 200), 400.0 + 18 * (i if i < 20 else 39 - i))
        for i in range(40)
    ]
    large.stroke(ragged)
    before = large.mask()
    moved = []
    for strength in ("1", "5"):
        large.page.get_by_test_id("smoothing").fill(strength)
        large.choose("smooth")
        after = large.mask()
        assert abs(int(after.sum()) - int(before.sum())) < 0.02 * before.sum()
        moved.append(int((after ^ before).sum()))
        large.press("Control+z")
        assert np.array_equal(large.mask(), before)
    assert 0 < moved[0] < moved[1]
    assert moved[1] > 0.02 * before.sum()
    large.agrees()
    large.press("Control+z")


def test_no_reading_shows_before_there_is_a_value(
    open_desk: Open, new_context: object, server: Server, case: int
) -> None:
    context = new_context()  # type: ignore[operator]
    held: list[Route] = []
    context.route("**/pixels", lambda route: held.append(route))
    page = context.new_page()
    page.goto(f"{server.url}#case={case}", wait_until="commit")
    state = page.get_by_test_id("save-state")
    expect(state).to_contain_text("Opening …")
    page.set_viewport_size({"width": 1100, "height": 700})
    expect(page.get_by_test_id("zoom")).to_have_text("")
    assert "Saved" not in page.locator(".bottom-bar").inner_text()
    assert "%" not in page.get_by_test_id("zoom").inner_text()
    for route in held:
        route.continue_()
    context.unroute("**/pixels")
    expect(state).to_have_attribute("data-state", "saved")
    expect(page.get_by_test_id("zoom")).to_contain_text("%")
