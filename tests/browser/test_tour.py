"""The tour of the first start."""

from playwright.sync_api import expect

from .desk import Desk, Open
from .worklist import WorkList, middle

NAMES = "() => [...document.querySelectorAll('.tool-name')].filter((name) => name.checkVisibility()).length"


def test_the_tour_shows_once_and_stands_in_nobodys_way(open_desk: Open, worklist: WorkList) -> None:
    desk = open_desk(newcomer=True)
    tour = desk.page.get_by_test_id("tour")
    expect(tour).to_be_visible()
    assert desk.page.evaluate(NAMES) > 15
    # Clicks and keys do beside it what they always do.
    desk.predicted(*middle(worklist.tooth("46")))
    desk.press("4", "6")
    assert desk.only()["category"] == "46"
    expect(tour).to_be_visible()

    # Every step is about something on the page, and covers none of it.
    titles, rings = [], []
    for step in range(20):
        titles.append(tour.get_by_role("heading").text_content())
        ring, card = desk.page.locator(".tour-ring").bounding_box(), tour.bounding_box()
        assert ring is not None
        assert card is not None
        rings.append(ring)
        if step > 0:
            beside = card["x"] >= ring["x"] + ring["width"] or card["x"] + card["width"] <= ring["x"]
            above = card["y"] >= ring["y"] + ring["height"] or card["y"] + card["height"] <= ring["y"]
            assert beside or above, titles[-1]
        desk.choose("tour-next")
        if not tour.is_visible():
            break
    assert len(set(titles)) == len(titles) > 3
    assert desk.page.get_by_test_id("done").bounding_box() in rings
    assert desk.page.evaluate(NAMES) == 0
    desk.saved()
    again = open_desk(context=desk.page.context)
    expect(again.page.get_by_test_id("tour")).not_to_be_visible()
    assert again.page.evaluate(NAMES) == 0


def test_the_tour_by_keyboard_and_again_from_the_help(desk: Desk) -> None:
    tour = desk.page.get_by_test_id("tour")
    expect(tour).not_to_be_visible()
    desk.press("?")
    desk.choose("help-tour")
    expect(desk.page.get_by_test_id("help-dialog")).not_to_be_visible()
    expect(tour).to_be_visible()
    first = tour.get_by_role("heading").text_content()
    desk.stage.focus()
    for _ in range(12):
        if desk.page.evaluate("() => document.activeElement.closest('[data-region]')?.dataset.region") == "tour":
            break
        desk.press("F6")
    expect(desk.page.get_by_test_id("tour-close")).to_be_focused()
    desk.press("Tab", "Enter")
    expect(tour.get_by_role("heading")).not_to_have_text(first or "")
    desk.press("Escape")
    expect(tour).not_to_be_visible()
    expect(desk.stage).to_be_focused()
