"""A case whose database is damaged: the notice covers nothing and can be closed, and the worklist marks the case."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from dentasam.data.phantom import generate

from .axe import violations
from .desk import PATIENCE, Desk, Open
from .serving import Server
from .test_layout import HIDDEN


class Damaged:
    """A server over damaged.png, which has two objects, and whole.png."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        picture = Image.fromarray(generate(3).image)
        for name in ("damaged.png", "whole.png"):
            picture.save(folder / name)
        self.server = Server(folder).start()
        self.case = self.server.case("damaged.png")
        self.objects = [str(uuid4()) for _ in range(2)]
        data = {"source": "manual", "category": "36"}
        made = [{"id": str(uuid4()), "kind": "create", "object": id, "time": 1, "data": data} for id in self.objects]
        self.server.append(self.case, made)

    def damage(self, object: str) -> None:
        """Damages an object and what it could be rebuilt from."""
        with sqlite3.connect(self.server.folder / ".dentasam" / "labels.sqlite3") as database:
            database.execute("UPDATE objects SET category = '37' WHERE id = ?", [object])
            database.execute("UPDATE operations SET annotator = 'bent' WHERE object_id = ?", [object])
        database.close()


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Damaged]:
    found = Damaged(tmp_path / "images")
    found.damage(found.objects[0])
    yield found
    found.server.stop()


def box(of: Locator) -> tuple[float, float, float, float]:
    found = of.bounding_box()
    assert found is not None
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]


def apart(one: Locator, other: Locator) -> bool:
    """Whether two elements have no point of the page in common."""
    left, top, right, bottom = box(one)
    x0, y0, x1, y1 = box(other)
    return right <= x0 or x1 <= left or bottom <= y0 or y1 <= top


def parts_of(page: Page) -> list[Locator]:
    """Everything that a notice could cover."""
    names = ("Worklist", "Case")
    regions = [page.get_by_role("complementary", name=name) for name in names]
    bars = [page.locator(selector) for selector in (".top-bar", ".toolbar", ".bottom-bar")]
    return [*regions, *bars, page.get_by_test_id("stage"), page.get_by_test_id("active-badge")]


def row(page: Page, case: int) -> Locator:
    return page.get_by_test_id(f"case-{case}")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_the_notice_covers_nothing(damaged: Damaged, open_desk: Open, width: int, height: int) -> None:
    for object in damaged.objects:
        damaged.damage(object)
    desk = open_desk(server=damaged.server, case=damaged.case, viewport={"width": width, "height": height})
    page = desk.page
    if not page.get_by_test_id("worklist").is_visible():
        desk.choose("worklist-toggle")
    notice = page.get_by_test_id("damage-notice")
    expect(notice.get_by_role("listitem")).to_have_count(2)
    for part in parts_of(page):
        assert apart(notice, part), part
    assert page.evaluate(HIDDEN) == []
    left, top, right, bottom = box(notice)
    assert min(left, top) >= 0
    assert (right <= width, bottom <= 0.3 * height) == (True, True)
    assert violations(page) == []


def test_the_notice_is_closed_by_keyboard_and_comes_back_for_a_new_damage(damaged: Damaged, open_desk: Open) -> None:
    desk = open_desk(server=damaged.server, case=damaged.case)
    page = desk.page
    notice, close = page.get_by_test_id("damage-notice"), page.get_by_role("button", name="Close the notice")
    expect(notice).to_contain_text(damaged.objects[0])
    desk.stage.focus()
    desk.press("Shift+F6")
    expect(close).to_be_focused()
    desk.press("Enter")
    expect(notice).to_have_count(0)
    expect(desk.stage).to_be_focused()

    # Neither another case, nor loading the page again, brings it back.
    whole = damaged.server.case("whole.png")
    desk.press("PageDown")
    desk.shown(whole)
    expect(notice).to_have_count(0)
    page.goto(f"{damaged.server.url}#case={damaged.case}")
    desk.shown(damaged.case)
    expect(notice).to_have_count(0)

    damaged.damage(damaged.objects[1])
    page.reload()
    desk.shown()
    expect(notice.get_by_role("listitem")).to_have_count(2)
    close.click()
    expect(notice).to_have_count(0)
    page.reload()
    desk.shown()
    expect(notice).to_have_count(0)


def test_the_worklist_marks_a_damaged_case(damaged: Damaged, open_desk: Open) -> None:
    whole = damaged.server.case("whole.png")
    # A page that was open before anybody met the damage.
    other = open_desk(server=damaged.server, case=whole, viewport={"width": 1920, "height": 1080})
    expect(row(other.page, damaged.case)).to_be_visible()
    expect(row(other.page, damaged.case)).not_to_contain_text("Damaged")

    desk: Desk = open_desk(server=damaged.server, case=damaged.case, viewport={"width": 1920, "height": 1080})
    for page in (desk.page, other.page):
        expect(row(page, damaged.case)).to_contain_text("Damaged", timeout=PATIENCE)
        expect(row(page, whole)).not_to_contain_text("Damaged")
        expect(page.get_by_test_id("worklist-progress")).to_contain_text("1 damaged")
    page.get_by_test_id("worklist-status").select_option("damaged")
    expect(row(page, damaged.case)).to_be_visible()
    expect(row(page, whole)).to_have_count(0)
    assert violations(page) == []
