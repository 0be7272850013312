"""A click goes to the object it is meant for: the page selects, asks, or begins another one, and never guesses."""

import numpy as np
from playwright.sync_api import expect

from .desk import Desk, Watch
from .worklist import WorkList, middle, overlap


def test_click_on_a_tooth_with_a_mask_goes_to_it_and_changes_nothing(desk: Desk, worklist: WorkList) -> None:
    desk.predicted(*middle(worklist.tooth("36")))
    first = desk.active or ""
    desk.press("n")
    desk.predicted(*middle(worklist.tooth("46")))
    masks = {id: each["mask"] for id, each in desk.objects().items()}
    desk.click(*middle(masks[first]))
    desk.until(f"dentasam.editor.activeId === '{first}'")
    desk.press("Escape")
    desk.click(*middle(masks[first]))
    desk.until(f"dentasam.editor.activeId === '{first}'")
    desk.saved()
    assert {id: each["prompts"]["clicks"].__len__() for id, each in desk.objects().items()} == dict.fromkeys(masks, 1)
    assert all(np.array_equal(each["mask"], masks[id]) for id, each in desk.objects().items())
    # Asked for with N, an object begins within another one.
    desk.press("n")
    desk.click(*middle(masks[first]))
    desk.until("dentasam.editor.objects.length === 3 && dentasam.editor.active?.area > 0")
    desk.agrees()


def test_the_question_leaves_the_active_object_in_sight(desk: Desk, worklist: WorkList) -> None:
    # The click on either side of it, and near the picture's edges.
    for tooth, other in (("36", "34"), ("36", "38"), ("46", "44")):
        desk.press("n")
        desk.click(*middle(worklist.tooth(tooth)))
        desk.until("dentasam.editor.active?.area > 0")
        desk.click(*middle(worklist.tooth(other)))
        question = desk.page.get_by_test_id("click-question")
        expect(question).to_be_visible()
        box, stage = question.bounding_box(), desk.stage.bounding_box()
        assert box is not None
        assert stage is not None
        assert stage["x"] <= box["x"]
        assert box["x"] + box["width"] <= stage["x"] + stage["width"]
        rows, columns = np.nonzero(desk.mask())
        left, top = desk.place(float(columns.min()), float(rows.min()))
        right, bottom = desk.place(float(columns.max() + 1), float(rows.max() + 1))
        beside = box["x"] + box["width"] <= left or box["x"] >= right
        assert beside or box["y"] + box["height"] <= top or box["y"] >= bottom, (tooth, other)
        desk.press("Escape", "Delete")


def test_click_far_from_the_active_object_asks(desk: Desk, worklist: WorkList) -> None:
    tooth, other = worklist.tooth("36"), worklist.tooth("46")
    desk.predicted(*middle(tooth))
    first = desk.active or ""
    mask = desk.mask()
    question = desk.page.get_by_test_id("click-question")

    def ask() -> None:
        desk.click(*middle(other))
        expect(question).to_be_visible()
        assert desk.active == first
        assert np.array_equal(desk.only()["mask"], mask)

    ask()
    expect(question).to_contain_text("Another object")
    # The question stands beside the click.
    x, y = desk.place(*middle(other))
    box = desk.page.get_by_test_id("answer-new").bounding_box()
    assert box is not None
    assert min(abs(box["x"] - x), abs(box["x"] + box["width"] - x)) < 60
    assert abs(box["y"] - y) < 60
    desk.press("Escape")
    expect(question).to_have_count(0)
    assert np.array_equal(desk.only()["mask"], mask)

    ask()
    desk.press("n")
    expect(question).to_have_count(0)
    desk.until(f"dentasam.editor.activeId !== '{first}' && dentasam.editor.active?.area > 0")
    found = desk.objects()
    assert np.array_equal(found[first]["mask"], mask)
    assert overlap(found[desk.active or ""]["mask"], other) > 0.6
    # One step of undo takes the whole object back.
    desk.press("Control+z")
    assert desk.objects().keys() == {first}

    for again in (lambda: desk.press("Enter"), lambda: desk.click(*middle(other))):
        desk.page.evaluate("(id) => dentasam.editor.setActive(id)", first)
        ask()
        again()
        desk.until("dentasam.editor.active?.prompts.clicks.length === 2")
        expect(question).to_have_count(0)
        assert desk.active == first
        assert not desk.only()["accepted"]
        desk.press("Control+z")
    desk.agrees()


def test_click_close_to_the_mask_corrects_without_a_question(desk: Desk, worklist: WorkList) -> None:
    desk.predicted(*middle(worklist.tooth("36")))
    mask = desk.mask()
    rows = np.flatnonzero(mask.any(axis=1))
    column = float(np.flatnonzero(mask[rows[-1]]).mean()) + 0.5
    desk.predicted(column, rows[-1] + 4.5)
    expect(desk.page.get_by_test_id("click-question")).to_have_count(0)
    assert len(desk.only()["prompts"]["clicks"]) == 2


def test_n_takes_the_click_tool_and_the_hint_names_it(desk: Desk) -> None:
    badge = desk.page.get_by_test_id("active-badge")
    desk.tool("b", size=20)
    expect(badge).to_have_text("Brush · New object")
    desk.stroke([(300.0, 150.0), (380.0, 150.0)])
    expect(badge).to_have_text("Brush · No label")
    desk.press("n")
    expect(badge).to_have_text("Click · New object")
    desk.press("x")
    expect(badge).to_have_text("Negative click · No object")
    desk.press("e", "Shift+N")
    expect(badge).to_have_text("Eraser · No object")


def test_question_goes_when_the_annotator_does_something_else(desk: Desk, worklist: WorkList) -> None:
    desk.predicted(*middle(worklist.tooth("36")))
    mask = desk.mask()
    question = desk.page.get_by_test_id("click-question")
    for act in ("b", "v"):
        desk.press("c")
        desk.click(*middle(worklist.tooth("46")))
        expect(question).to_be_visible()
        desk.press(act)
        expect(question).to_have_count(0)
    # Enter is then the acceptance again.
    desk.press("3", "6", "Enter")
    assert desk.only()["accepted"]
    assert np.array_equal(desk.mask(), mask)


def test_failed_click_leaves_no_empty_object(desk: Desk, worklist: WorkList, watch: Watch) -> None:
    watch.allow("503")
    desk.page.route("**/predict", lambda route: route.fulfill(status=503, json={"detail": "the model rests"}))
    desk.click(*middle(worklist.tooth("36")))
    desk.toast("The model did not answer: the model rests")
    assert desk.objects() == {}
    assert desk.active is None
    assert not desk.page.evaluate("() => dentasam.editor.canUndo || dentasam.editor.canRedo")
    desk.page.unroute("**/predict")
    desk.predicted(*middle(worklist.tooth("36")))
    assert overlap(desk.mask(), worklist.tooth("36")) > 0.6
    desk.agrees()


def test_restoration_gets_its_tooth_by_overlap(desk: Desk) -> None:
    desk.tool("b", size=60)
    desk.stroke([(300.0, 200.0), (300.0, 300.0)])
    tooth = desk.active
    desk.press("3", "6", "Shift+N")
    desk.stroke([(400.0, 200.0), (400.0, 300.0)])
    desk.press("3", "5", "Shift+N", "[")
    desk.tool("b", size=20)
    desk.stroke([(295.0, 220.0), (305.0, 230.0)])
    filling = desk.active or ""
    desk.choose("label-restoration")
    assert desk.objects()[filling]["parent"] == tooth
    expect(desk.page.get_by_test_id("parent")).to_have_value(tooth or "")
    # Label and tooth are one step.
    desk.press("Control+z")
    assert (desk.objects()[filling]["category"], desk.objects()[filling]["parent"]) == (None, None)
    desk.agrees()
