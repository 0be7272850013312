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
from dentasam.labelling.annotators import Annotators
from dentasam.labelling.workspace import Workspace

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


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server whose annotators are anna and ben, over one image."""
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(generate(3).image).save(folder / "opg.png")
    with Workspace.open(folder) as workspace:
        annotators = Annotators.of(workspace.root)
        for name in ("anna", "ben"):
            annotators.add(name, f"{PASSWORD} {name}")
    faults = tmp_path / "stderr.txt"
    with faults.open("w") as stderr:
        process = subprocess.Popen(
            [*COMMAND, "label", str(folder), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        # Without a token.
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url), faults.read_text()
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


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
