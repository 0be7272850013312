"""Of a long worklist only the rows near its visible part are on the page, and the open case is one of them."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from .axe import violations
from .desk import PATIENCE, Desk, Open
from .serving import Server
from .worklist import WorkList

CASES = 400
FEW = 80


@pytest.fixture(scope="module")
def long_server(tmp_path_factory: pytest.TempPathFactory, worklist: WorkList) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("long") / "images"
    folder.mkdir()
    # One file under many names is encoded once.
    for index in range(CASES):
        os.link(worklist.folder / "copy-000.png", folder / f"opg-{index:03d}.png")
    running = Server(folder).start()
    yield running
    running.stop()


def rows(desk: Desk) -> list[int]:
    """The places of the rows on the page, from 1."""
    found: list[int] = desk.page.evaluate(
        "() => [...document.querySelectorAll('.cases [aria-posinset]')].map((row) => Number(row.ariaPosInSet))"
    )
    return found


def in_view(desk: Desk, case: int) -> bool:
    inside: bool = desk.page.evaluate(
        """(id) => {
            const row = document.querySelector(`[data-testid="case-${id}"]`)?.getBoundingClientRect();
            const list = document.querySelector(".cases").getBoundingClientRect();
            return row !== undefined && row.top >= list.top - 1 && row.bottom <= list.bottom + 1;
        }""",
        case,
    )
    return inside


def test_a_long_worklist(open_desk: Open, long_server: Server) -> None:
    last, middle = long_server.case(f"opg-{CASES - 1:03d}.png"), long_server.case("opg-250.png")
    desk = open_desk(server=long_server, case=middle, viewport={"width": 1920, "height": 1080})
    expect(desk.page.get_by_test_id(f"case-{middle}")).to_have_attribute("aria-current", "true", timeout=PATIENCE)
    assert in_view(desk, middle)
    places = rows(desk)
    assert 251 in places
    assert len(places) < FEW
    assert places == list(range(places[0], places[-1] + 1))
    assert desk.page.locator(".cases li[aria-setsize]").first.get_attribute("aria-setsize") == str(CASES)
    assert violations(desk.page) == []

    # To the end and back: all rows can be reached, and the list keeps its height.
    desk.page.evaluate("() => { const list = document.querySelector('.cases'); list.scrollTop = list.scrollHeight; }")
    expect(desk.page.get_by_test_id(f"case-{last}")).to_be_visible()
    assert rows(desk)[-1] == CASES
    desk.page.evaluate("() => { document.querySelector('.cases').scrollTop = 0; }")
    expect(desk.page.get_by_test_id(f"case-{long_server.case('opg-000.png')}")).to_be_visible()
    assert rows(desk)[0] == 1

    # The next case comes into view though its row was not on the page.
    following = long_server.case("opg-251.png")
    desk.stage.focus()
    desk.press("PageDown")
    expect(desk.page.get_by_test_id(f"case-{following}")).to_have_attribute("aria-current", "true", timeout=PATIENCE)
    assert in_view(desk, following)

    # A search leaves few: they are all on the page, and none says how many there are.
    desk.page.get_by_test_id("worklist-search").fill("opg-39")
    expect(desk.page.locator(".cases .case")).to_have_count(10)
    assert rows(desk) == []
