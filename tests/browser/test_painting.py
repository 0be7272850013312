"""Strokes cover exactly the pixels that the brush's definition says, in every mode, and nothing of locked objects."""

import numpy as np
import pytest
from scipy import ndimage

from .desk import Desk, Open
from .painting import enclosed, swept
from .worklist import WorkList, middle

BEND = [(300.0, 150.0), (420.0, 210.0), (415.0, 330.0), (290.0, 300.0)]


def test_round_stroke_eraser_and_single_dab(desk: Desk) -> None:
    desk.tool("b", size=24)
    path = desk.stroke(BEND)
    painted = swept(path, 24, "round", desk.shape)
    assert np.array_equal(desk.mask(), painted)
    assert desk.only()["source"] == "manual"

    desk.tool("e", size=15)
    path = desk.stroke([(330.0, 120.0), (380.0, 260.0)])
    rubbed = swept(path, 15, "round", desk.shape)
    assert np.array_equal(desk.mask(), painted & ~rubbed)

    desk.tool("b", size=1)
    path = desk.stroke([(700.0, 400.0)])
    dab = np.zeros(desk.shape, bool)
    dab[int(path[0][1]), int(path[0][0])] = True
    assert np.array_equal(desk.mask(), painted & ~rubbed | dab)
    desk.agrees()

    log = desk.server.operations(desk.case)
    assert [operation["data"].get("tool") for operation in log] == [None, "brush", "eraser", "brush"]
    assert log[1]["data"]["stroke"] | {"points": []} == {"shape": "round", "size": 24, "points": []}
    assert log[1]["mask"].on_image(*desk.shape).sum() == painted.sum()


def test_square_brush_and_straight_line_with_shift(desk: Desk) -> None:
    desk.tool("b", size=17)
    desk.choose("brush-shape")
    path = desk.stroke(BEND)
    covered = swept(path, 17, "square", desk.shape)
    assert np.array_equal(desk.mask(), covered)

    desk.page.keyboard.down("Shift")
    far = desk.stroke([(600.0, 120.0)])
    desk.page.keyboard.up("Shift")
    covered |= swept([path[-1], far[0]], 17, "square", desk.shape)
    assert np.array_equal(desk.mask(), covered)
    desk.agrees()


def two_objects(desk: Desk, mode: str) -> tuple[str, np.ndarray, str, np.ndarray]:
    """Paints an object and then, in a mode, another one across it; both ids and what each brush covered."""
    desk.tool("b", size=30)
    first = swept(desk.stroke([(300.0, 200.0), (420.0, 200.0)]), 30, "round", desk.shape)
    below = desk.active
    desk.press("Shift+N")
    desk.choose(f"mode-{mode}")
    second = swept(desk.stroke([(360.0, 150.0), (362.0, 260.0)]), 30, "round", desk.shape)
    above = desk.active
    assert below is not None
    assert above is not None
    assert (first & second).any()
    return below, first, above, second


@pytest.mark.parametrize("mode", ["overlap", "protect", "take"])
def test_modes_where_masks_meet(desk: Desk, mode: str) -> None:
    below, first, above, second = two_objects(desk, mode)
    assert np.array_equal(desk.mask(below), first & ~second if mode == "take" else first)
    assert np.array_equal(desk.mask(above), second & ~first if mode == "protect" else second)
    desk.agrees()
    if mode == "take":
        # The stroke that made the second object is one step, in both objects.
        desk.press("Control+z")
        assert np.array_equal(desk.mask(below), first)
        assert above not in desk.objects()
        desk.agrees()


def test_locked_object_stays_as_it_is(desk: Desk) -> None:
    desk.tool("b", size=30)
    first = swept(desk.stroke([(300.0, 200.0), (420.0, 200.0)]), 30, "round", desk.shape)
    locked = desk.active
    assert locked is not None
    desk.press("y")
    desk.stroke([(360.0, 150.0), (362.0, 260.0)])
    desk.toast("The object is locked")
    desk.tool("e")
    desk.stroke([(360.0, 150.0), (362.0, 260.0)])
    desk.press("Delete")
    assert np.array_equal(desk.mask(locked), first)

    desk.press("Shift+N")
    desk.tool("b")
    desk.choose("mode-take")
    second = swept(desk.stroke([(360.0, 150.0), (362.0, 260.0)]), 30, "round", desk.shape)
    assert np.array_equal(desk.mask(locked), first)
    assert np.array_equal(desk.mask(), second & ~first)
    desk.agrees()


def test_intensity_limited_brush(desk: Desk, worklist: WorkList) -> None:
    image = worklist.radiograph >> 8
    x, y = middle(worklist.tooth("36"))
    desk.tool("b", size=60)
    desk.choose("brush-limited")
    path = desk.stroke([(x, y), (x + 12, y + 20)])
    value = int(image[int(path[0][1]), int(path[0][0])])
    low, high = desk.page.evaluate("() => [dentasam.stage.levels.low, dentasam.stage.levels.high]")
    near = np.abs(image.astype(int) - value) <= 0.10 * (high - low)
    covered = swept(path, 60, "round", desk.shape)
    assert (covered & ~near).any()
    assert np.array_equal(desk.mask(), covered & near)
    desk.agrees()


def test_lasso_adds_and_subtracts(desk: Desk) -> None:
    desk.tool("l")
    path = desk.stroke([(300.0, 150.0), (500.0, 170.0), (450.0, 330.0), (330.0, 300.0), (380.0, 230.0)])
    added = enclosed(path, desk.shape)
    assert np.array_equal(desk.mask(), added)
    desk.tool("Shift+L")
    path = desk.stroke([(400.0, 120.0), (560.0, 250.0), (400.0, 260.0)])
    assert np.array_equal(desk.mask(), added & ~enclosed(path, desk.shape))
    desk.agrees()


def test_holes_islands_and_smoothing(desk: Desk) -> None:
    desk.tool("b", size=20)
    desk.stroke([(300.0, 150.0), (420.0, 150.0), (420.0, 260.0), (300.0, 260.0), (300.0, 150.0)])
    desk.stroke([(600.0, 200.0)])
    drawn = desk.mask()
    desk.press("g")
    filled = ndimage.binary_fill_holes(drawn)
    assert filled.sum() > drawn.sum()
    assert np.array_equal(desk.mask(), filled)
    desk.press("j")
    labels, _ = ndimage.label(filled, np.ones((3, 3)))
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    assert np.array_equal(desk.mask(), largest)
    desk.press("u")
    # Three box filters by the size of the object, cut where its area is kept.
    share = largest.astype(float)
    for _ in range(3):
        share = ndimage.uniform_filter(share, 2 * round(2 * 0.02 * largest.sum() ** 0.5) + 1, mode="nearest")
    cut = np.sort(share.ravel())[-largest.sum()]
    certain = np.abs(share - cut) > 0.001
    assert np.array_equal(desk.mask()[certain], (share > cut)[certain])
    assert abs(int(desk.mask().sum()) - int(largest.sum())) < 0.01 * largest.sum()
    desk.agrees()
    desk.press("Control+z", "Control+z", "Control+z")
    assert np.array_equal(desk.mask(), drawn)


def test_brush_size_by_keys_wheel_and_dragging(desk: Desk) -> None:
    def size() -> int:
        found: int = desk.page.evaluate("() => dentasam.editor.brush.size")
        return found

    desk.tool("b", size=40)
    desk.press("]")
    assert size() > 40
    desk.press("[")
    desk.press("[")
    assert size() < 40
    desk.page.get_by_test_id("brush-size").fill("40")
    desk.page.mouse.move(*desk.place(400, 200))
    before = desk.view()["zoom"]
    desk.page.keyboard.down("Shift")
    desk.page.mouse.wheel(0, -100)
    desk.until("dentasam.editor.brush.size > 40")
    desk.page.mouse.wheel(0, 100)
    desk.page.keyboard.up("Shift")
    larger = size()
    desk.page.keyboard.down("Alt")
    left, top = desk.place(400, 200)
    desk.page.mouse.down()
    desk.page.mouse.move(left + 60, top)
    desk.page.mouse.up()
    desk.page.keyboard.up("Alt")
    assert size() == pytest.approx(larger + 60 / before, abs=1)
    assert desk.view()["zoom"] == before
    assert desk.objects() == {}


def test_outline_of_the_brush_comes_and_goes_with_the_pointer(desk: Desk) -> None:
    desk.tool("b", size=40)
    desk.page.mouse.move(5, 5)
    bare = desk.picture()
    for x in (300.0, 420.0):
        desk.page.mouse.move(*desk.place(x, 200.0))
        outlined = (desk.picture() != bare).any(axis=2)
        ring = swept(desk.points([desk.place(x, 200.0)]), 48, "round", desk.shape)
        assert outlined.sum() > 100
        assert not (outlined & ~desk.seen(ring)).any()
    desk.page.mouse.move(5, 5)
    # A browser may show earlier frames in turn.
    assert all(np.array_equal(desk.picture(), bare) for _ in range(4))


def test_pen_paints_with_its_tip_and_erases_with_its_other_end(desk: Desk) -> None:
    desk.tool("b", size=24)
    places = [desk.place(x, 215.0) for x in (340.0, 380.0, 460.0)]
    tip = desk.page.context.new_cdp_session(desk.page)
    for kind, (x, y) in zip(["mousePressed", "mouseMoved", "mouseMoved"], places, strict=True):
        event = {"type": kind, "x": x, "y": y, "pointerType": "pen", "buttons": 1, "force": 0.4}
        tip.send("Input.dispatchMouseEvent", event | {"button": "left", "clickCount": 1})
    release = {"type": "mouseReleased", "x": x, "y": y, "pointerType": "pen", "button": "left", "clickCount": 1}
    tip.send("Input.dispatchMouseEvent", release)
    painted = swept(desk.points(places), 24, "round", desk.shape)
    assert np.array_equal(desk.mask(), painted)

    # The debugging protocol knows no eraser button, so these events are made in the page.
    places = [desk.place(x, 220.0) for x in (400.0, 440.0)]
    desk.page.evaluate(
        """(places) => {
            const { host } = dentasam.stage;
            host.setPointerCapture = () => undefined;
            const kinds = ["pointerdown", "pointermove", "pointerup"];
            kinds.forEach((kind, index) => {
                const [clientX, clientY] = places[Math.min(index, 1)];
                const buttons = kind === "pointerup" ? 0 : 32;
                const pen = { button: 5, pointerId: 77, pointerType: "pen", bubbles: true };
                host.dispatchEvent(new PointerEvent(kind, { clientX, clientY, buttons, ...pen }));
            });
        }""",
        places,
    )
    assert np.array_equal(desk.mask(), painted & ~swept(desk.points(places), 24, "round", desk.shape))
    desk.agrees()


def test_one_finger_paints_and_two_move_the_picture(open_desk: Open) -> None:
    desk = open_desk(has_touch=True)
    desk.tool("b", size=24)
    touch = desk.page.context.new_cdp_session(desk.page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    places = [desk.place(x, 200.0) for x in (340.0, 380.0, 460.0)]
    fingers("touchStart", places[0])
    for place in places[1:]:
        fingers("touchMove", place)
    fingers("touchEnd")
    path = desk.points(places)
    assert np.array_equal(desk.mask(), swept(path, 24, "round", desk.shape))

    painted, before = desk.mask(), desk.view()
    (ax, ay), (bx, by) = desk.place(400, 200), desk.place(500, 200)
    (middle_before,) = desk.points([((ax + bx) / 2, (ay + by) / 2)])
    fingers("touchStart", (ax, ay))
    fingers("touchStart", (ax, ay), (bx, by))
    fingers("touchMove", (ax - 50, ay), (bx + 50, by))
    fingers("touchEnd")
    after = desk.view()
    assert after["zoom"] == pytest.approx(before["zoom"] * (bx - ax + 100) / (bx - ax), rel=0.02)
    assert desk.points([((ax + bx) / 2, (ay + by) / 2)])[0] == pytest.approx(middle_before, abs=1)
    assert np.array_equal(desk.mask(), painted)
