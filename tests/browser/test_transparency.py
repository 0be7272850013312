"""Fill, outline, dimming and peeking change the picture, and neither the masks nor the undo stack."""

from collections.abc import Callable

import numpy as np
from playwright.sync_api import expect

from .desk import Desk, Open


def two_masks(desk: Desk) -> tuple[np.ndarray, np.ndarray]:
    """Paints two objects far from each other; the second is active. Where each one's inside shows in the picture."""
    desk.tool("b", size=40)
    desk.stroke([(300.0, 200.0), (420.0, 200.0)])
    first = desk.mask()
    desk.press("Shift+N")
    desk.stroke([(600.0, 200.0), (720.0, 200.0)])
    second = desk.mask()
    desk.page.mouse.move(5, 5)
    desk.saved()
    return inner(desk, first), inner(desk, second)


def inner(desk: Desk, mask: np.ndarray) -> np.ndarray:
    """Where a mask shows, away from its outline."""
    eroded = mask.copy()
    for axis in (0, 1):
        for step in range(1, 7):
            eroded &= np.roll(mask, step, axis) & np.roll(mask, -step, axis)
    return desk.seen(eroded)


def colourfulness(picture: np.ndarray, where: np.ndarray) -> float:
    """How far the pixels are from grey, on average."""
    pixels = picture[where].astype(int)
    return float((pixels.max(axis=1) - pixels.min(axis=1)).mean())


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two pictures look the same: a browser may round a colour now this way and now that."""
    return bool((np.abs(a.astype(int) - b.astype(int)) <= 8).mean() > 0.995)


def unchanged(desk: Desk, act: Callable[[], None]) -> None:
    """Asserts that an act is no work: no operation, no step to undo, no bit."""
    steps = "() => [dentasam.editor.history.undoable, dentasam.sync.status().pending]"
    before, masks = desk.page.evaluate(steps), desk.objects()
    log = len(desk.server.operations(desk.case))
    act()
    assert desk.page.evaluate(steps) == before
    after = desk.objects()
    assert all(np.array_equal(masks[id]["mask"], after[id]["mask"]) for id in masks)
    assert len(desk.server.operations(desk.case)) == log


def test_fill_and_outline(drawn_desk: Desk) -> None:
    desk = drawn_desk
    first, second = two_masks(desk)

    def act() -> None:
        usual = colourfulness(desk.picture(), first)
        assert usual > 20
        desk.press(".", ".")
        more = colourfulness(desk.picture(), first)
        assert more > usual
        desk.press(",", ",", ",")
        assert colourfulness(desk.picture(), first) < usual
        desk.page.get_by_test_id("opacity").fill("0")
        bare = desk.picture()
        assert colourfulness(bare, first) < 2
        assert colourfulness(bare, second) < 2
        # The outline has a slider of its own.
        everywhere = desk.seen(np.ones(desk.shape, bool))
        assert colourfulness(bare, everywhere) > 0.2
        desk.page.get_by_test_id("outline-opacity").fill("0")
        assert colourfulness(desk.picture(), everywhere) < 0.05
        desk.page.get_by_test_id("opacity").fill("100")
        full = desk.picture()[first]
        assert (full == full[0]).all()

    unchanged(desk, act)


def test_space_peeks_while_it_is_held(drawn_desk: Desk) -> None:
    desk = drawn_desk
    first, second = two_masks(desk)

    def act() -> None:
        shown = desk.picture()
        desk.page.keyboard.down("Space")
        bare = desk.picture()
        assert colourfulness(bare, first | second) < 2
        expect(desk.page.get_by_test_id("peek")).to_have_class("peek-hint on")
        desk.page.keyboard.up("Space")
        assert same(desk.picture(), shown)

    unchanged(desk, act)


def test_dimming_the_others_and_hiding_one(drawn_desk: Desk) -> None:
    desk = drawn_desk
    first, second = two_masks(desk)

    def act() -> None:
        shown = desk.picture()
        desk.press("d")
        dimmed = desk.picture()
        assert colourfulness(dimmed, first) < colourfulness(shown, first) / 2
        assert same(dimmed[second], shown[second])
        desk.press("d", "h")
        hidden = desk.picture()
        assert colourfulness(hidden, second) < 2
        assert same(hidden[first], shown[first])
        desk.press("Shift+H")
        assert same(desk.picture(), shown)

    unchanged(desk, act)


def test_choices_are_remembered(desk: Desk, open_desk: Open) -> None:
    desk.stage.focus()
    desk.press(",", ",", ";", "d", "b", "]")
    wanted = desk.page.evaluate("() => [dentasam.stage.appearance, dentasam.editor.brush]")
    assert wanted[0]["fill"] == 0.3
    assert wanted[0]["outline"] == 0.95
    assert wanted[0]["dimOthers"] is True
    later = open_desk(context=desk.page.context)
    assert later.page.evaluate("() => [dentasam.stage.appearance, dentasam.editor.brush]") == wanted
    expect(later.page.get_by_test_id("opacity")).to_have_value("30")
    # Another user of the machine starts with the defaults.
    assert open_desk().page.evaluate("() => dentasam.stage.appearance.fill") == 0.4
