"""Where annotators have names: the form before the page, a wrong password, the worklist, and out again."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from dentasam.data.phantom import generate
from dentasam.labelling.auth.passwords import Annotators
from dentasam.labelling.workspace.workspace import Workspace

from .axe import violations
from .desk import PATIENCE, Watch
from .serving import COMMAND

PASSWORD = "crown and bridge"
# The worklist is open at first where there is room for it.
WIDE = {"width": 1600, "height": 900}
COLOURS = """() => {
    const style = getComputedStyle(document.body);
    return [style.backgroundColor, style.color];
}"""


class Guarded:
    """A server whose annotators are anna and ben, over one image."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, 0
        self.start()

    def start(self) -> None:
        """Starts it, again on the port that it had before."""
        errors = self._folder.with_name("stderr.txt")
        with errors.open("w") as stderr:
            self._process = subprocess.Popen(
                [*COMMAND, "label", str(self._folder), "--port", str(self._port)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        # Without a token.
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", self.url)
        assert found, errors.read_text()
        self._port = int(found.group(1))

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        self._process.send_signal(number)
        self._process.communicate(timeout=60)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(generate(3).image).save(folder / "opg.png")
    with Workspace.open(folder) as workspace:
        annotators = Annotators.of(workspace.root)
        for name in ("anna", "ben"):
            annotators.add(name, f"{PASSWORD} {name}")
    running = Guarded(folder)
    yield running
    running.end()


@pytest.fixture
def address(guarded: Guarded) -> str:
    return guarded.url


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_signing_in_and_out(address: str, new_context: Any, watch: Watch) -> None:
    # The browser reports the refusal of the wrong password as an error.
    watch.allow("401")
    # A light system: the form is dark all the same, as the page is.
    page = new_context(color_scheme="light", viewport=WIDE).new_page()
    page.goto(address)
    expect(page).to_have_url(f"{address}login")
    expect(page.get_by_label("Name")).to_be_focused()
    assert violations(page) == []
    form_colours = page.evaluate(COLOURS)
    assert page.context.request.get(f"{address}api/cases").status == 401

    sign_in(page, "anna", f"{PASSWORD} ben")
    expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong.")
    # Only the password has to be typed again.
    expect(page.get_by_label("Name")).to_have_value("anna")
    expect(page.get_by_label("Password")).to_be_focused()
    assert violations(page) == []
    assert page.context.cookies() == []

    sign_in(page, "anna", f"{PASSWORD} anna")
    expect(page.get_by_test_id("case-1")).to_be_visible(timeout=PATIENCE)
    assert page.url.startswith(address)
    assert "login" not in page.url
    expect(page.get_by_role("banner").get_by_text("anna", exact=True)).to_be_visible()
    assert page.evaluate(COLOURS) == form_colours

    page.get_by_test_id("sign-out").click()
    expect(page).to_have_url(f"{address}login")
    assert page.context.cookies() == []
    # Nor does the way back lead to the work.
    page.goto(address)
    expect(page).to_have_url(f"{address}login")


def test_a_session_outlives_a_killed_server(guarded: Guarded, new_context: Any, watch: Watch) -> None:
    watch.allow("Failed to load resource")
    page = new_context(viewport=WIDE).new_page()
    page.goto(guarded.url)
    sign_in(page, "anna", f"{PASSWORD} anna")
    saved = page.get_by_test_id("save-state")
    expect(saved).to_have_attribute("data-state", "saved", timeout=PATIENCE)
    page.evaluate("() => { window.sameAsBefore = true; }")
    guarded.end(signal.SIGKILL)
    page.get_by_test_id("tool-brush").click()
    page.get_by_test_id("stage").click(position={"x": 300, "y": 300})
    expect(page.get_by_test_id("link-notice")).to_have_attribute("data-link", "unreachable", timeout=PATIENCE)
    assert page.evaluate("() => dentasam.sync.status().pending") > 0
    guarded.start()
    # Nobody signs in again, and nothing is loaded again.
    expect(page.get_by_test_id("link-notice")).to_have_count(0, timeout=PATIENCE)
    expect(saved).to_have_attribute("data-state", "saved", timeout=PATIENCE)
    assert page.evaluate("() => window.sameAsBefore")
    # The cookie alone is what other ports of the host get to see; it reads nothing.
    assert page.context.request.get(f"{guarded.url}api/cases").status == 401
    key = page.evaluate("() => localStorage.getItem('dentasam-key')")
    (case,) = page.context.request.get(f"{guarded.url}api/cases", headers={"X-Page-Key": key}).json()
    assert case["objects"] == 1
