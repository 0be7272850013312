"""Characters that nobody sees are shown wherever the page shows a name or a text from outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from dentasam.data.phantom import generate
from dentasam.labelling.exchange.offline import open_workspace

from .axe import violations
from .desk import PATIENCE, Desk, Open, Watch
from .serving import Server
from .test_add_images import drop

# `gnp.exe` is read as `exe.png` behind it; C1 controls steer a terminal.
TURNED, CONTROL = "\u202egnp", "\x9b2J"
SHOWN = ("\\u202egnp", "\\u009b2J")
FIRST, SECOND = f"see\n  the 🦷👩\u200d⚕️ {TURNED}{CONTROL}\x07", "السن 36 مكسور"
# Everything that a person reads or hears.
READ = """() => [document.title, document.body.innerText,
    ...[...document.querySelectorAll("*")].flatMap((each) => [each.title, each.ariaLabel, each.alt])]
    .filter(Boolean).join("\\n")"""


@pytest.fixture
def strange(tmp_path: Path) -> Iterator[Server]:
    """A server whose folder, images and former annotator have such names; they wrote such a comment, and another."""
    folder = tmp_path / f"scans{TURNED}"
    folder.mkdir()
    Image.fromarray(generate(3).image).save(folder / f"a{TURNED}{CONTROL}.png")
    (folder / "broken\x7f.png").write_bytes(b"\x89PNG")
    with open_workspace(folder) as (_, store, _):
        for text in (FIRST, SECOND):
            store.add_comment(store.cases()[0].id, f"anna{TURNED}{CONTROL}", text)
    running = Server(folder).start()
    yield running
    running.stop()


def unseen(desk: Desk) -> list[str]:
    """The lines on the page that hold such characters as they are."""
    desk.page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    bad = {"\x07", *map(chr, range(0x80, 0xA0)), "\x7f", "\u202e"}
    return [line for line in desk.page.evaluate(READ).splitlines() if bad & set(line)]


def test_names_and_comments_are_shown_as_they_are(
    strange: Server, open_desk: Open, tmp_path: Path, watch: Watch
) -> None:
    (one,) = strange.get("/api/cases").json()
    desk = open_desk(server=strange, case=one["id"], viewport={"width": 1920, "height": 1080})
    page = desk.page
    assert page.title() == f"scans{SHOWN[0]} · dentasam"
    expect(page.get_by_test_id("case-name")).to_have_text(f"a{SHOWN[0]}{SHOWN[1]}.png")
    page.get_by_test_id("worklist-search").fill("\\u202e")
    expect(page.get_by_test_id(f"case-{one['id']}")).to_contain_text(SHOWN[0])

    # The server does not take such a name.
    watch.allow("422")
    extra = tmp_path / f"b{TURNED}{CONTROL}.png"
    Image.fromarray(generate(4).image).save(extra)
    drop(page, [extra])
    shown = f"b{SHOWN[0]}{SHOWN[1]}.png"
    expect(page.get_by_test_id("addition")).to_contain_text(f"{shown} not added: ", timeout=PATIENCE)
    assert unseen(desk) == []


def test_comments_keep_their_lines_and_are_isolated(strange: Server, open_desk: Open) -> None:
    (one,) = strange.get("/api/cases").json()
    desk = open_desk(server=strange, case=one["id"], viewport={"width": 1920, "height": 1080})
    page = desk.page
    page.get_by_test_id("section-comments").click()
    comments = page.get_by_test_id("comments").get_by_role("listitem")
    expect(comments).to_have_count(2)
    first, second = (comments.nth(at).locator("p") for at in range(2))
    assert first.inner_text() == f"see\n  the 🦷👩\u200d⚕️ {SHOWN[0]}{SHOWN[1]}\\u0007"
    sides = "(each) => [getComputedStyle(each).direction, getComputedStyle(each).unicodeBidi]"
    assert first.evaluate(sides) == ["ltr", "isolate"]
    assert second.evaluate(sides) == ["rtl", "isolate"]
    expect(comments.nth(0).locator("bdi")).to_have_text(f"anna{SHOWN[0]}{SHOWN[1]}")
    assert unseen(desk) == []
    assert violations(page) == []
    # What travels is as it was written.
    assert [each["text"] for each in strange.document(one["id"])["comments"]] == [FIRST, SECOND]
