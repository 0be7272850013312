"""The page on small screens and for fingers."""

from typing import Any

import pytest
from playwright.sync_api import expect

from .desk import Desk, Open

TABLET = {"has_touch": True, "is_mobile": True}
# Controls that are shown and smaller than a finger.
SMALL = """() => [...document.querySelectorAll("button, select, summary, a, input:not([type=checkbox])")]
    .filter((control) => control.checkVisibility())
    .map((control) => [control, control.getBoundingClientRect()])
    .filter(([, { width, height }]) => width < 39.9 || height < 39.9)
    .map(([control, { width, height }]) => `${control.outerHTML.slice(0, 120)} ${width} x ${height}`)"""
# Controls that are shown in part, or lie below another one: what is in the middle of each.
HIDDEN = """() => [...document.querySelectorAll(".top-bar *, .toolbar *, .bottom-bar *")]
    .filter((control) => control.matches("button, select, input") && control.checkVisibility())
    .filter((control) => {
        const { left, top, right, bottom } = control.getBoundingClientRect();
        if (left < 0 || top < 0 || right > innerWidth || bottom > innerHeight) return true;
        const there = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        return !(control.contains(there) || there?.contains(control));
    })
    .map((control) => control.outerHTML.slice(0, 160))"""
# The same in the panel, which scrolls.
COVERED = """() => [...document.querySelectorAll(".panel :is(button, select, input, textarea)")]
    .filter((control) => control.checkVisibility())
    .filter((control) => {
        control.scrollIntoView({ block: "center" });
        const panel = control.closest(".panel");
        panel.scrollLeft = 0; // A hand cannot scroll it sideways.
        const { left, top, right, bottom } = control.getBoundingClientRect();
        const room = panel.getBoundingClientRect();
        if (left < room.left || right > room.right) return true;
        const there = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        return !(control.contains(there) || there?.contains(control));
    })
    .map((control) => control.outerHTML.slice(0, 160))"""
# Words that need more room than they have.
CUT = """() => [...document.querySelectorAll(
    ".tooth, .chip, .quiet, .section-title, .switch span, .slider-value, .object-title"
)]
    .filter((each) => each.checkVisibility() && each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0)
    .map((each) => each.textContent)"""


def opened(open_desk: Open, width: int, height: int, **options: Any) -> Desk:
    desk = open_desk(viewport={"width": width, "height": height}, **options)
    teeth = [f"{quadrant}{tooth}" for quadrant in (1, 2, 4) for tooth in range(1, 9)]
    desk.draw(*((tooth, (30 * at, 200, 20, 50), False) for at, tooth in enumerate(teeth)))
    desk.draw(("36", (100, 100, 60, 60), True), ("restoration", (110, 110, 30, 30), False))
    desk.page.evaluate("() => dentasam.editor.setParent(dentasam.editor.activeId, dentasam.editor.objects.at(-2).id)")
    return desk


@pytest.mark.parametrize(
    ("width", "height", "options"),
    [
        (1366, 768, {}),
        (1920, 1080, {}),
        (1280, 720, {"device_scale_factor": 1.5}),
        (911, 512, {"device_scale_factor": 1.5}),
        (1180, 820, TABLET),
        (820, 1180, TABLET),
        (390, 844, TABLET),
    ],
)
def test_everything_has_room(open_desk: Open, width: int, height: int, options: dict[str, Any]) -> None:
    desk = opened(open_desk, width, height, **options)
    page = desk.page
    overflow = "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert page.evaluate(overflow) == [width, height]
    assert page.evaluate(HIDDEN) == []
    assert page.evaluate(CUT) == []
    assert page.evaluate(COVERED) == []
    stage, panel = desk.stage.bounding_box(), page.get_by_role("complementary", name="Case").bounding_box()
    assert stage is not None
    assert panel is not None
    assert stage["width"] * stage["height"] > 0.4 * width * height
    assert panel["x"] + panel["width"] <= width + 1
    # What is folded away comes back, over the picture.
    if page.get_by_test_id("unfold").is_visible():
        desk.choose("unfold")
        for test_id in ("outline-opacity", "outline-width", "dim-others"):
            expect(page.get_by_test_id(test_id)).to_be_in_viewport()


def test_upright_the_picture_stays_large(open_desk: Open) -> None:
    desk = opened(open_desk, 820, 1180, **TABLET)
    stage = desk.stage.bounding_box()
    assert stage is not None
    assert stage["width"] == 820
    assert stage["height"] >= 0.6 * 1180
    # The worklist lies over the picture, and gives way to the case that is chosen there.
    desk.choose("worklist-toggle")
    assert desk.stage.bounding_box() == stage
    name = desk.server.next_name(desk.case)
    desk.page.get_by_test_id("worklist-search").fill(name)
    desk.choose(f"case-{desk.server.case(name)}")
    desk.shown(desk.server.case(name))
    expect(desk.page.get_by_test_id("worklist")).not_to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(1180, 820), (820, 1180), (390, 844)])
def test_fingers_find_everything(open_desk: Open, width: int, height: int) -> None:
    desk = opened(open_desk, width, height, **TABLET)
    desk.choose("tool-brush")
    assert desk.page.evaluate(SMALL) == []
    desk.page.get_by_test_id("deciduous").check()
    assert desk.page.evaluate(SMALL) == []
    desk.choose("worklist-toggle")
    assert desk.page.evaluate(SMALL) == []


def test_a_finger_peeks_and_sizes_the_brush(open_desk: Open) -> None:
    desk = opened(open_desk, 1180, 820, **TABLET)
    pad = desk.page.get_by_test_id("pad-peek")
    box = pad.bounding_box()
    assert box is not None
    session = desk.page.context.new_cdp_session(desk.page)
    at = [{"x": box["x"] + 20, "y": box["y"] + 20}]
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
    expect(pad).to_have_attribute("aria-pressed", "true")
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(pad).to_have_attribute("aria-pressed", "false")

    expect(desk.page.get_by_test_id("pad-size")).not_to_be_visible()
    desk.page.get_by_test_id("tool-brush").tap()
    size = "() => dentasam.editor.brush.size"
    before = desk.page.evaluate(size)
    desk.page.get_by_test_id("pad-larger").tap()
    assert desk.page.evaluate(size) > before
    desk.page.get_by_test_id("pad-size").fill("90")
    assert desk.page.evaluate(size) == 90


def test_a_long_press_says_what_a_button_does_and_does_nothing_else(open_desk: Open) -> None:
    desk = opened(open_desk, 1180, 820, **TABLET)
    tip = desk.page.get_by_test_id("tip")
    button = desk.page.get_by_test_id("tool-brush")
    box = button.bounding_box()
    assert box is not None
    session = desk.page.context.new_cdp_session(desk.page)
    at = [{"x": box["x"] + 20, "y": box["y"] + 20}]
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
    expect(tip).to_have_text("Brush (B)")
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert desk.page.evaluate("() => dentasam.stage.tool") == "click"
    # A tap after it is a tap again.
    button.tap()
    assert desk.page.evaluate("() => dentasam.stage.tool") == "brush"
    expect(tip).not_to_be_visible()


def test_the_worklist_says_how_far_the_work_is(open_desk: Open) -> None:
    desk = opened(open_desk, 1920, 1080)
    progress = desk.page.get_by_test_id("worklist-progress")
    cases = desk.server.get("/api/cases").json()
    finished = sum(one["status"] in ("done", "approved") for one in cases)
    expect(progress).to_contain_text(f"{finished} of {len(cases)} finished")
    desk.page.evaluate("() => dentasam.editor.setStatus('approved')")
    expect(progress).to_contain_text(f"{finished + 1} of {len(cases)} finished")
    bar = progress.get_by_role("progressbar")
    assert bar.evaluate("(bar) => [bar.value, bar.max]") == [finished + 1, len(cases)]
    assert (bar.bounding_box() or {"height": 0})["height"] >= 8

    # That nothing matches stands where the list would begin.
    search = desk.page.get_by_test_id("worklist-search")
    search.fill("no such case")
    said, list_top = desk.page.get_by_test_id("no-case").bounding_box(), search.bounding_box()
    assert said is not None
    assert list_top is not None
    assert said["y"] < list_top["y"] + 250
