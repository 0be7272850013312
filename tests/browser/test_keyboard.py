"""A case from its opening to done, and to the next one, without a mouse."""

import numpy as np
from playwright.sync_api import expect

from .desk import PATIENCE, Desk
from .painting import swept
from .worklist import WorkList, middle, overlap


def walk(desk: Desk, x: float, y: float) -> tuple[float, float]:
    """Moves the crosshair near an image point with the arrow keys; where it is then."""
    if desk.page.evaluate("() => dentasam.stage.cursor") is None:
        desk.press("ArrowRight")
    at = desk.page.evaluate("() => dentasam.stage.cursor")
    for axis, (less, more) in enumerate((("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown"))):
        way = (x, y)[axis] - at[axis]
        far, near = divmod(abs(way), 25)
        key = more if way > 0 else less
        desk.press(*[f"Shift+{key}"] * int(far), *[key] * round(near / 2))
    found = desk.page.evaluate("() => dentasam.stage.cursor")
    assert abs(found[0] - x) <= 2
    assert abs(found[1] - y) <= 2
    return found[0], found[1]


def test_a_case_without_a_mouse(desk: Desk, worklist: WorkList) -> None:
    first, second = worklist.tooth("46"), worklist.tooth("36")
    # The page opens with the keys at hand: nothing has to be reached first.
    x, y = walk(desk, *middle(first))
    desk.press("k")
    desk.until("dentasam.editor.active?.prompts.clicks.length === 1")
    found = desk.only()
    assert np.allclose(found["prompts"]["clicks"], [[x - 0.5, y - 0.5, 1]])
    assert overlap(found["mask"], first) > 0.5
    desk.press("4")
    expect(desk.page.get_by_test_id("typed-digit")).to_contain_text("4")
    desk.press("6")
    assert desk.only()["category"] == "46"

    # Painted by keyboard: held down, the key draws.
    desk.press("b")
    before = desk.mask()
    size = desk.page.evaluate("() => dentasam.editor.brush.size")
    start = walk(desk, x, y + 20)
    desk.page.keyboard.down("k")
    desk.press("ArrowRight", "ArrowRight", "ArrowDown")
    desk.page.keyboard.up("k")
    path = [start, (start[0] + 2, start[1]), (start[0] + 4, start[1]), (start[0] + 4, start[1] + 2)]
    assert np.array_equal(desk.mask(), before | swept(path, size, "round", desk.shape))

    desk.press("n", "c")
    walk(desk, *middle(second))
    desk.press("k")
    desk.until("dentasam.editor.active?.prompts.clicks.length === 1")
    desk.press("3", "6")
    desk.press("Enter")
    assert desk.objects()[desk.active or ""]["category"] == "46"
    desk.press("Enter")
    assert all(object["accepted"] for object in desk.objects().values())
    assert desk.page.evaluate("() => dentasam.editor.status") == "in-progress"

    # Two teeth are few: the page asks, and the answer at hand leaves the case open.
    done, following = desk.case, desk.server.case(desk.server.next_name(desk.case))
    dialog = desk.page.get_by_test_id("closing-dialog")
    desk.press("Enter")
    expect(dialog).to_be_visible()
    desk.press("Enter")
    expect(dialog).not_to_be_visible()
    assert desk.page.evaluate("() => dentasam.editor.status") == "in-progress"
    desk.press("Enter")
    focused = dialog.locator(":focus")
    expect(focused).to_have_text("Go on labelling")
    desk.press("Shift+Tab")
    expect(focused).to_have_text("Done all the same")
    desk.press("Enter")
    desk.shown(following)
    expect(desk.page.get_by_test_id("case-name")).to_have_text(desk.server.document(following)["case"]["name"])
    desk.saved()
    assert desk.server.document(done)["case"]["status"] == "done"
    stored = desk.server.objects(done)
    assert sorted(object["category"] for object in stored.values()) == ["36", "46"]
    assert all(object["accepted"] for object in stored.values())
    desk.press("PageUp")
    desk.shown(done)
    expect(desk.page.get_by_test_id("case-status")).to_have_value("done", timeout=PATIENCE)


def test_everything_can_be_reached(desk: Desk) -> None:
    reached = set()
    for _ in range(8):
        desk.press("F6")
        region = "document.activeElement.closest('[data-region]')?.dataset.region ?? null"
        reached.add(desk.page.evaluate(f"() => {region}"))
    assert {"tools", "stage", "odontogram", "bar"} <= reached
    # Without objects, Tab walks on as on every page.
    before = desk.page.evaluate("() => document.activeElement.outerHTML")
    desk.press("Tab")
    assert desk.page.evaluate("() => document.activeElement.outerHTML") != before


def test_keys_of_a_text_field_are_text(desk: Desk) -> None:
    desk.page.get_by_role("button", name="Comments").click()
    field = desk.page.get_by_test_id("comment-text")
    field.click()
    desk.page.keyboard.type("B, e and 36? n")
    expect(field).to_have_value("B, e and 36? n")
    assert desk.page.evaluate("() => dentasam.stage.tool") == "click"
    expect(desk.page.get_by_test_id("help-dialog")).not_to_be_visible()
    desk.choose("comment-send")
    expect(desk.page.get_by_test_id("comments")).to_contain_text("B, e and 36? n")
    (comment,) = desk.server.get(f"/api/cases/{desk.case}/comments").json()
    assert (comment["text"], comment["annotator"]) == ("B, e and 36? n", "tester")
