"""What axe-core finds on the page, and whether the keys reach all of it."""

from playwright.sync_api import expect

from .axe import violations
from .desk import Desk, Open

REGION = "() => document.activeElement.closest('[data-region]')?.dataset.region ?? null"
REGIONS = {"top", "worklist", "tools", "stage", "odontogram", "checks", "objects", "display", "comments", "bar"}


def objects(desk: Desk) -> None:
    """One of each kind: accepted, of a number used twice, with no label, hidden, active."""
    made = desk.draw(
        ("36", (100, 100, 60, 60), True), ("36", (200, 100, 60, 60), False), ("caries", (300, 100, 60, 60), False)
    )
    desk.page.evaluate("(id) => dentasam.editor.hide(id, true)", made[1])
    desk.draw((None, (400, 100, 60, 60), False))


def test_axe_finds_nothing_in_any_state_and_theme(open_desk: Open) -> None:
    desk = open_desk(viewport={"width": 1920, "height": 1080}, newcomer=True)
    page = desk.page
    expect(page.get_by_test_id("tour")).to_be_visible()
    for theme in ("dark", "light"):
        assert page.evaluate("() => document.documentElement.dataset.theme") == theme
        assert violations(page) == [], f"{theme}: at the start"
        if theme == "dark":
            desk.choose("tour-close")
            assert violations(page) == [], "an empty case"
            desk.choose("section-comments")
            objects(desk)
        assert violations(page) == [], f"{theme}: with objects"
        for opens, dialog in (("done", "closing-dialog"), ("help", "help-dialog"), ("downloads", "downloads-dialog")):
            desk.choose(opens)
            expect(page.get_by_test_id(dialog)).to_be_visible()
            assert violations(page) == [], f"{theme}: {dialog}"
            desk.press("Escape")
            expect(page.get_by_test_id(dialog)).not_to_be_visible()
        page.get_by_test_id("worklist-search").fill("no such case")
        expect(page.get_by_test_id("no-case")).to_be_visible()
        assert violations(page) == [], f"{theme}: an empty worklist"
        page.get_by_test_id("worklist-search").fill("")
        desk.choose("theme")


def test_axe_finds_nothing_on_a_touch_screen(open_desk: Open) -> None:
    desk = open_desk(viewport={"width": 820, "height": 1180}, has_touch=True, is_mobile=True)
    objects(desk)
    desk.choose("worklist-toggle")
    desk.choose("tool-brush")
    assert violations(desk.page) == []


def test_f6_and_tab_reach_every_part_with_objects_there(open_desk: Open) -> None:
    desk = open_desk(viewport={"width": 1920, "height": 1080})
    objects(desk)
    # Every case of the worklist is a stop of Tab: few of them are enough.
    desk.page.get_by_test_id("worklist-search").fill("copy-00")
    desk.stage.focus()
    for key in ("F6", "Shift+F6"):
        reached = []
        for _ in REGIONS:
            desk.press(key)
            reached.append(desk.page.evaluate(REGION))
            assert desk.page.evaluate("() => document.activeElement.matches(':focus-visible')")
        assert set(reached) == REGIONS, key
        assert reached[-1] == "stage", key

    # On the picture Tab goes from object to object, once round; then it walks on through the page, and comes back.
    desk.press("Escape")
    seen = []
    for _ in range(4):
        desk.press("Tab")
        assert desk.page.evaluate(REGION) == "stage"
        seen.append(desk.active)
    assert set(seen) == set(desk.objects())
    walked = set()
    for _ in range(200):
        desk.press("Tab")
        walked.add(desk.page.evaluate(REGION))
        if desk.page.evaluate(REGION) == "stage":
            break
    assert walked - {None} == REGIONS
