"""No address that a browser stays at, or keeps, holds the key of the page."""

import json
from typing import Any

from playwright.sync_api import Page, Request, expect

from .desk import Desk, Watch


def another_tab(desk: Desk) -> tuple[Page, list[Request]]:
    """A tab in the same browser, and all requests that it makes."""
    page = desk.page.context.new_page()
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))
    return page, requests


def key_of(desk: Desk) -> str:
    found: str = desk.page.evaluate("() => localStorage.getItem('dentasam-key')")
    assert len(found) > 40
    return found


def seen(page: Page, requests: list[Request]) -> str:
    """What is kept of a tab, as one text: its addresses, its content, and what its requests showed of themselves."""
    session = page.context.new_cdp_session(page)
    history = [entry["url"] for entry in session.send("Page.getNavigationHistory")["entries"]]
    told = [(request.url, request.headers.get("referer")) for request in requests]
    return json.dumps([page.url, history, page.content(), told])


def test_an_address_that_is_typed_stays_as_it_is(desk: Desk, watch: Watch) -> None:
    watch.allow("404")
    page, requests = another_tab(desk)
    address = f"{desk.server.base}/api/cases?of=mine"
    page.goto(address)
    expect(page.locator("pre")).to_contain_text('"name":"large.png"')
    assert page.url == address
    assert key_of(desk) not in seen(page, requests)
    # Loaded again it shows the same.
    page.reload()
    expect(page.locator("pre")).to_contain_text('"name":"large.png"')
    page.goto(f"{desk.server.base}/api/cases/2000000000")
    expect(page.locator("pre")).to_have_text("there is no case 2000000000 in this workspace")


def test_a_download_whose_address_is_typed(desk: Desk) -> None:
    page, requests = another_tab(desk)
    with page.expect_download() as saved:
        page.goto(f"{desk.server.base}/api/export/coco")
    assert saved.value.suggested_filename == "labels.json"
    assert "images" in json.loads(saved.value.path().read_text())
    assert key_of(desk) not in saved.value.url
    assert key_of(desk) not in seen(page, requests)


def test_a_picture_of_the_page_in_a_tab_of_its_own(desk: Desk) -> None:
    page, _ = another_tab(desk)
    key = key_of(desk)
    page.goto(f"{desk.server.base}/api/cases/{desk.case}/thumbnail?picture=x&key={key}")
    expect(page.locator("img")).to_be_visible()
    assert page.evaluate("() => document.images[0].decode().then(() => document.images[0].naturalWidth)") > 50
    assert page.url == f"{desk.server.base}/api/cases/{desk.case}/thumbnail?picture=x"
    assert key not in seen(page, [])


def test_a_browser_without_the_key_is_told(desk: Desk) -> None:
    page, _ = another_tab(desk)
    desk.page.evaluate("() => localStorage.removeItem('dentasam-key')")
    page.goto(f"{desk.server.base}/api/cases")
    expect(page.locator("body")).to_contain_text("lost the key of its page")


def test_a_browser_that_was_never_here_is_refused(desk: Desk, new_context: Any, watch: Watch) -> None:
    watch.allow("401")
    page = new_context().new_page()
    answer = page.goto(f"{desk.server.base}/api/cases?key={key_of(desk)}")
    assert answer is not None
    assert answer.status == 401
    assert page.url == f"{desk.server.base}/api/cases"
