"""A server that is started anew under an open page: work goes on by itself, or the page says what to do."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from .desk import PATIENCE, Desk, Open, Watch
from .serving import Server, serving_one_image
from .worklist import WorkList

REFUSED = "Failed to load resource"


@pytest.fixture
def fragile(tmp_path: Path, worklist: WorkList) -> Iterator[Server]:
    """A server to be ended, over one image."""
    with serving_one_image(tmp_path / "images", worklist.folder / "copy-000.png") as running:
        yield running


@pytest.fixture
def painter(fragile: Server, open_desk: Open, watch: Watch) -> Desk:
    """A page with one stroke that the server has; it is never loaded again."""
    watch.allow(REFUSED)
    desk = open_desk(server=fragile, case=fragile.case("opg.png"))
    desk.page.evaluate("() => { window.sameAsBefore = true; }")
    desk.tool("b", size=20)
    desk.stroke([(300.0, 150.0), (420.0, 160.0)])
    desk.saved()
    return desk


def went_on(desk: Desk, done: np.ndarray) -> None:
    """The page has sent everything, and it was not loaded again."""
    expect(desk.page.get_by_test_id("link-notice")).to_have_count(0, timeout=PATIENCE)
    desk.agrees()
    assert desk.page.evaluate("() => window.sameAsBefore")
    stored = np.logical_or.reduce([object["mask"] for object in desk.server.objects(desk.case).values()])
    assert np.array_equal(stored, done)


def notice(page: Page, link: str) -> Any:
    found = page.get_by_test_id("link-notice")
    expect(found).to_have_attribute("data-link", link, timeout=PATIENCE)
    return found


def strokes_without_server(desk: Desk) -> np.ndarray:
    for row in (200.0, 240.0, 280.0):
        desk.stroke([(300.0, row), (420.0, row + 9)])
    desk.state("offline")
    masks: np.ndarray = np.logical_or.reduce([object["mask"] for object in desk.objects().values()])
    return masks


def test_a_killed_server_that_is_started_again_gets_all_strokes(painter: Desk, fragile: Server) -> None:
    fragile.kill()
    done = strokes_without_server(painter)
    shown = notice(painter.page, "unreachable")
    expect(shown).to_contain_text("Start dentasam label for these images again")
    expect(shown.get_by_test_id("kept")).to_contain_text("kept in this browser")
    address = fragile.url
    fragile.start()
    assert fragile.url == address
    went_on(painter, done)


def test_a_new_token_is_asked_for_in_plain_sight(painter: Desk, fragile: Server) -> None:
    fragile.kill()
    done = strokes_without_server(painter)
    fragile.start("--new-token")
    shown = notice(painter.page, "token-changed")
    expect(shown).to_contain_text("the terminal in which dentasam label runs")
    assert painter.page.evaluate("() => dentasam.sync.status().pending") > 0
    # Its new address in another tab of the same browser.
    other = painter.page.context.new_page()
    other.goto(fragile.url)
    went_on(painter, done)


def test_another_workspace_gets_nothing(painter: Desk, fragile: Server) -> None:
    fragile.kill()
    done = strokes_without_server(painter)
    kept = fragile.folder.with_name("kept")
    (fragile.folder / ".dentasam").rename(kept)
    fragile.start()
    painter.page.context.new_page().goto(fragile.url)
    expect(notice(painter.page, "other-workspace")).to_contain_text("Another workspace answers")
    assert fragile.objects(painter.case) == {}
    # The page's own one is back.
    fragile.stop()
    shutil.rmtree(fragile.folder / ".dentasam")
    kept.rename(fragile.folder / ".dentasam")
    fragile.start()
    painter.page.context.new_page().goto(fragile.url)
    went_on(painter, done)


def test_without_the_token_the_browser_shows_a_page(server: Server, new_context: Any, watch: Watch) -> None:
    watch.allow("401")
    page = new_context().new_page()
    for path in ("/", "/?token=of-yesterday", "/api/export/coco"):
        page.goto(f"{server.base}{path}")
        expect(page.get_by_role("heading")).to_have_text("The labelling tool cannot be opened like this")
        expect(page.get_by_text("Look at the terminal")).to_be_visible()
        # Its style is let through by the content policy.
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(11, 14, 18)"
    # A script's request, which does not ask for HTML, is answered as ever.
    answer = page.context.request.get(f"{server.base}/api/cases")
    assert (answer.status, answer.headers["content-type"]) == (401, "application/json")
