"""Nothing is changed unseen: what is hidden is shown before it changes, and Space with a drag moves the picture."""

from typing import Any

import numpy as np
import pytest

from .desk import Desk

PEN = """([kind, x, y, buttons]) => {
    const host = document.querySelector(".stage-host");
    const { left, top } = host.getBoundingClientRect();
    host.dispatchEvent(new PointerEvent(kind, {
        pointerId: 7, pointerType: "pen", isPrimary: true, bubbles: true, cancelable: true,
        clientX: x, clientY: y, button: kind === "pointermove" ? -1 : 0, buttons, pressure: buttons ? 0.5 : 0,
    }));
}"""


class Hand:
    """A mouse or a pen that goes through places of the page."""

    def __init__(self, desk: Desk, kind: str) -> None:
        self.desk, self.kind, self.at, self.pressed = desk, kind, (0.0, 0.0), 0

    def move(self, x: float, y: float) -> None:
        self.at = (x, y)
        if self.kind == "mouse":
            self.desk.page.mouse.move(x, y)
        else:
            self.pen("pointermove")

    def down(self) -> None:
        self.pressed = 1
        self.desk.page.mouse.down() if self.kind == "mouse" else self.pen("pointerdown")

    def up(self) -> None:
        self.pressed = 0
        self.desk.page.mouse.up() if self.kind == "mouse" else self.pen("pointerup")

    def pen(self, event: str) -> None:
        self.desk.page.evaluate(PEN, [event, *self.at, self.pressed])


def state(desk: Desk) -> tuple[Any, ...]:
    view = desk.view()
    return view["x"], view["y"], int(desk.mask().sum()) if desk.active else 0


@pytest.mark.parametrize("kind", ["mouse", "pen"])
def test_space_and_drag_moves_the_picture_and_never_paints(desk: Desk, kind: str) -> None:
    desk.tool("b", size=30)
    desk.stroke([(300.0, 200.0), (420.0, 200.0)])
    desk.press("+", "+", "+")
    desk.saved()
    mask, log = desk.mask(), len(desk.server.operations(desk.case))
    hand = Hand(desk, kind)
    for tool in ("b", "e", "c", "l", "m"):
        desk.tool(tool)
        desk.page.evaluate("() => { dentasam.stage.view.centreOn([360, 200]); dentasam.stage.viewMoved(); }")
        x, y = desk.place(360.0, 200.0)
        before = desk.view()

        # Space first, and last.
        desk.page.keyboard.down("Space")
        hand.move(x, y)
        hand.down()
        hand.move(x + 40, y + 10)
        hand.up()
        desk.page.keyboard.up("Space")
        view = desk.view()
        assert (view["x"] - before["x"], view["y"] - before["y"]) == pytest.approx((40, 10)), tool

        # Space let go in the middle of the drag: the rest of it still moves the picture.
        desk.page.keyboard.down("Space")
        hand.down()
        hand.move(x + 20, y)
        desk.page.keyboard.up("Space")
        hand.move(x - 10, y - 10)
        hand.up()
        moved = desk.view()
        assert (moved["x"] - view["x"], moved["y"] - view["y"]) == pytest.approx((-50, -20)), tool
        assert np.array_equal(desk.only()["mask"], mask), tool
        assert not desk.page.evaluate("() => dentasam.stage.peek")
    desk.saved()
    assert len(desk.server.operations(desk.case)) == log


@pytest.mark.parametrize("kind", ["mouse", "pen"])
def test_space_in_the_middle_of_a_stroke_ends_it_and_keeps_it(desk: Desk, kind: str) -> None:
    desk.tool("b", size=20)
    hand = Hand(desk, kind)
    x, y = desk.place(300.0, 200.0)
    hand.move(x, y)
    hand.down()
    hand.move(x + 60, y)
    desk.page.keyboard.down("Space")
    painted = desk.mask()
    assert painted.any()
    before = desk.view()
    hand.move(x + 60, y + 80)
    desk.page.keyboard.up("Space")
    hand.move(x + 60, y + 100)
    hand.up()
    after = desk.view()
    assert after["y"] - before["y"] == pytest.approx(100)
    assert np.array_equal(desk.mask(), painted)
    # The next stroke paints again, and the first one is one step.
    desk.stroke([(300.0, 300.0), (340.0, 300.0)])
    assert desk.mask().sum() > painted.sum()
    desk.press("Control+z")
    assert np.array_equal(desk.mask(), painted)
    desk.agrees()


def hidden(desk: Desk) -> str:
    desk.tool("b", size=30)
    desk.stroke([(300.0, 200.0), (420.0, 200.0)])
    desk.press("3", "6", "h")
    (found,) = desk.objects().values()
    assert found["hidden"]
    id: str = found["id"]
    return id


def test_a_hidden_object_is_shown_before_it_changes(desk: Desk) -> None:
    id = hidden(desk)

    def shown(before: np.ndarray) -> None:
        found = desk.objects()[id]
        assert not found["hidden"]
        assert not np.array_equal(found["mask"], before)
        desk.toast("36 was hidden; it is shown again.")
        desk.press("h")
        assert desk.objects()[id]["hidden"]

    for tool in ("b", "e", "l"):
        before = desk.mask(id)
        desk.tool(tool)
        desk.stroke([(330.0, 190.0), (470.0, 230.0), (380.0, 280.0)], lift=False)
        assert not desk.objects()[id]["hidden"], tool
        desk.page.mouse.up()
        shown(before)

    before = desk.mask(id)
    desk.press("u")
    shown(before)

    before = desk.mask(id)
    desk.press("Control+z")
    assert not desk.objects()[id]["hidden"]
    assert not np.array_equal(desk.mask(id), before)

    desk.press("h")
    desk.tool("c")
    desk.click(360.0, 200.0, button="right")
    desk.until("dentasam.editor.active.prompts.clicks.length === 1")
    assert not desk.objects()[id]["hidden"]
    desk.agrees()


def test_a_hidden_object_is_neither_deleted_nor_accepted_unseen(desk: Desk) -> None:
    id = hidden(desk)
    desk.press("Enter")
    assert (desk.objects()[id]["hidden"], desk.objects()[id]["accepted"]) == (False, False)
    desk.press("Enter")
    assert desk.objects()[id]["accepted"]
    desk.press("h", "Delete")
    assert not desk.objects()[id]["hidden"]
    desk.press("Delete")
    assert desk.objects() == {}


def test_masks_that_are_transparent_are_shown_before_one_changes(desk: Desk) -> None:
    desk.tool("b", size=30)
    desk.stroke([(300.0, 200.0), (420.0, 200.0)])
    desk.page.get_by_test_id("opacity").fill("0")
    desk.page.get_by_test_id("outline-opacity").fill("0")
    desk.stroke([(300.0, 260.0), (420.0, 260.0)])
    desk.toast("The masks were transparent; they are shown again.")
    look = desk.page.evaluate("() => dentasam.stage.appearance")
    assert look["fill"] > 0.2
    assert look["outline"] > 0.5


def test_cutting_a_hidden_neighbour_shows_it(desk: Desk) -> None:
    id = hidden(desk)
    desk.press("Shift+N")
    desk.choose("mode-take")
    desk.stroke([(360.0, 150.0), (362.0, 260.0)])
    assert not desk.objects()[id]["hidden"]
    desk.choose("mode-overlap")
