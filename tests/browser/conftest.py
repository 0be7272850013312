"""One browser and one server for all tests of the page; each test gets a case of its own and an empty profile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from .chromium import FLAGS, path_of_chromium
from .desk import PATIENCE, Desk, Open, Watch
from .serving import Server
from .worklist import COPIES, WorkList, write_worklist

VIEWPORT = {"width": 1280, "height": 800}
# Where WebGL2 is drawn by software the page prefers a 2D canvas; so it does not learn of it.
HIDDEN_DRIVER = """
    const { getExtension } = WebGL2RenderingContext.prototype;
    WebGL2RenderingContext.prototype.getExtension = function (name) {
        return name === "WEBGL_debug_renderer_info" ? null : getExtension.call(this, name);
    };
"""


# The tour of the first start is for one test; the others meet a user who has seen it.
INTRODUCED = """
    try {
        const key = "dentasam/preferences/tester";
        if (!localStorage.getItem(key)) localStorage.setItem(key, '{"introduced": true}');
    } catch {}
"""


# Of this package and not of the session: while it runs there is an event loop in the main thread, which tests of
# other folders would stumble over.
@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    running = playwright.chromium.launch(executable_path=path_of_chromium(), args=FLAGS)
    yield running
    running.close()


@pytest.fixture(scope="package")
def worklist(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> WorkList:
    # Each test takes a case of its own.
    tests = sum(item.path.parent == Path(__file__).parent for item in request.session.items)
    return write_worklist(tmp_path_factory.mktemp("labelling") / "images", max(COPIES, tests))


@pytest.fixture(scope="package")
def server(worklist: WorkList) -> Iterator[Server]:
    running = Server(worklist.folder).start()
    yield running
    running.stop()


@pytest.fixture
def case(server: Server, worklist: WorkList) -> int:
    """A case that no other test works on."""
    return server.case(worklist.fresh.pop())


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Fails the test where the browser reported an error, a breach of the content policy or a foreign request."""
    watching = Watch()
    yield watching
    assert watching.unexpected == []


@pytest.fixture
def new_context(browser: Browser, watch: Watch) -> Iterator[Any]:
    """Opens an empty browser profile, of a user who was never here; `newcomer`: nor has seen the tour."""
    opened: list[BrowserContext] = []

    def open_context(*, newcomer: bool = False, **options: Any) -> BrowserContext:
        context = browser.new_context(**({"viewport": VIEWPORT} | options))
        context.set_default_timeout(PATIENCE)
        if not newcomer:
            context.add_init_script(INTRODUCED)
        watch.over(context)
        opened.append(context)
        return context

    yield open_context
    for context in opened:
        context.close()


@pytest.fixture
def open_desk(new_context: Any, server: Server, case: int) -> Open:
    """Opens a page on a case: on this test's case in a new profile, where nothing else is asked for."""

    def open_one(
        *,
        context: BrowserContext | None = None,
        case: int = case,
        server: Server = server,
        renderer: str | None = None,
        **options: Any,
    ) -> Desk:
        context = context or new_context(**options)
        if renderer == "webgl2":
            context.add_init_script(HIDDEN_DRIVER)
        desk = Desk(context.new_page(), server, case).open()
        assert renderer in (None, desk.page.evaluate("() => dentasam.stage.renderer.kind"))
        return desk

    return open_one


@pytest.fixture
def desk(open_desk: Open) -> Desk:
    return open_desk()


@pytest.fixture(params=["webgl2", "canvas2d"])
def drawn_desk(open_desk: Open, request: pytest.FixtureRequest) -> Desk:
    """A desk for each of the two ways in which the page draws."""
    return open_desk(renderer=request.param)
