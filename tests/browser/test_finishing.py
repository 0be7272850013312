"""How a case is closed: what is asked, what opens next, and how it is taken back."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from .desk import PATIENCE, Desk, Open
from .serving import Server

CASES = 4
FULL = [f"{quadrant}{place}" for quadrant in "1234" for place in range(1, 8)]
# Presses without a pause, as a key that bounces: within one task of the page no time passes.
BOUNCE = """(times) => {
    for (let press = 0; press < times; press++) {
        for (const kind of ["keydown", "keyup"]) {
            const init = { key: "Enter", code: "Enter", bubbles: true, cancelable: true };
            dentasam.stage.host.dispatchEvent(new KeyboardEvent(kind, init));
        }
    }
}"""


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("few") / "images"
    folder.mkdir()
    noise = np.random.default_rng(1)
    for number in range(CASES):
        Image.fromarray(noise.integers(60, 200, (200, 400), np.uint8)).save(folder / f"case-{number}.png")
    running = Server(folder).start()
    yield running
    running.stop()


@pytest.fixture
def few_cases(small_server: Server) -> Server:
    """A server with few cases, all of them new and without objects."""
    for one in small_server.get("/api/cases").json():
        changes: list[dict[str, Any]] = [
            {"kind": "delete", "object": id, "data": {"deleted": True}} for id in small_server.objects(one["id"])
        ]
        changes.append({"kind": "status", "object": None, "data": {"status": "new"}})
        small_server.append(one["id"], [change | {"id": str(uuid4()), "time": 1} for change in changes])
    return small_server


@pytest.fixture
def first(few_cases: Server, open_desk: Open) -> Desk:
    """The first of few cases, with a full set of teeth side by side."""
    desk = open_desk(server=few_cases, case=few_cases.case("case-0.png"))
    complete(desk)
    return desk


def complete(desk: Desk, accepted: bool = True) -> list[str]:
    return desk.draw(*((tooth, (13 * at, 20, 10, 30), accepted) for at, tooth in enumerate(FULL)))


def question(desk: Desk) -> Locator:
    return desk.page.get_by_test_id("closing-dialog")


def closed(desk: Desk) -> None:
    """Presses Enter until it counts: right after an acceptance or an opening it does not."""
    before = desk.page.evaluate("() => location.hash")
    for _ in range(20):
        desk.page.wait_for_timeout(600)
        desk.press("Enter")
        if desk.page.evaluate("() => dentasam.editor.status") == "done" or before != desk.page.evaluate(
            "() => location.hash"
        ):
            return
    raise AssertionError("Enter closed nothing")


def reasons(desk: Desk) -> list[str]:
    found = question(desk).locator("[data-reason]")
    return [found.nth(at).get_attribute("data-reason") or "" for at in range(found.count())]


def status(desk: Desk) -> str:
    found: str = desk.page.evaluate("() => dentasam.editor.status")
    return found


def test_enter_that_bounces_closes_nothing(few_cases: Server, open_desk: Open) -> None:
    desk = open_desk(server=few_cases, case=few_cases.case("case-0.png"))
    ids = complete(desk, accepted=False)
    desk.stage.focus()
    desk.page.evaluate(BOUNCE, len(ids) + 5)
    assert all(object["accepted"] for object in desk.objects().values())
    assert status(desk) == "in-progress"
    expect(question(desk)).not_to_be_visible()
    toast = desk.page.get_by_test_id("toast")
    expect(toast).to_have_count(1)
    expect(toast).to_contain_text("Enter closes the case")
    # Nor does a key that accepts the last object and is held: it repeats.
    desk.page.evaluate("() => dentasam.editor.accept(dentasam.editor.activeId, false)")
    desk.page.keyboard.down("Enter")
    assert desk.objects()[desk.active or ""]["accepted"]
    for _ in range(5):
        desk.page.keyboard.down("Enter")
    desk.page.keyboard.up("Enter")
    assert status(desk) == "in-progress"

    closed(desk)
    desk.shown(few_cases.case("case-1.png"))
    expect(toast).to_have_count(1)
    expect(toast).to_contain_text("case-0.png is done. 3 cases are left.")


def test_done_asks_and_shows_the_object(first: Desk) -> None:
    plain, twin, twice = first.draw(
        (None, (20, 120, 15, 15), True), ("17", (300, 120, 15, 15), True), ("caries", (200, 150, 20, 20), True)
    )
    (double,) = first.draw(("caries", (205, 150, 20, 20), True))
    first.press("Escape")
    first.choose("done")
    assert reasons(first) == ["unlabelled", "number-twice", "same-pixels"]
    twins = question(first).locator("[data-reason=number-twice] button")
    expect(twins).to_have_text(["17", "17"])
    expect(question(first).locator("[data-reason=same-pixels] button")).to_have_text(["Caries", "Caries"])
    expect(first.page.get_by_test_id("closing-back")).to_be_focused()
    first.press("Enter")
    expect(question(first)).not_to_be_visible()
    assert first.active == plain
    assert status(first) == "in-progress"

    for id in (plain, twin, twice, double):
        first.page.evaluate("(id) => dentasam.editor.remove(id)", id)
    open_tooth = first.draw(("18", (330, 120, 15, 15), False))
    first.choose("done")
    assert reasons(first) == ["not-accepted"]
    question(first).locator("[data-reason=not-accepted] button").click()
    assert first.active == open_tooth[0]
    # The list of statuses asks as well, and closing from it opens no other case.
    first.page.get_by_test_id("case-status").select_option("done")
    assert reasons(first) == ["not-accepted"]
    first.press("Escape")
    expect(question(first)).not_to_be_visible()
    expect(first.page.get_by_test_id("case-status")).to_have_value("in-progress")
    first.page.get_by_test_id("case-status").select_option("done")
    first.choose("close-anyway")
    assert status(first) == "done"
    first.saved()
    assert first.server.document(first.case)["case"]["status"] == "done"


def test_few_objects_are_asked_about_until_told_not_to(few_cases: Server, open_desk: Open) -> None:
    desk = open_desk(server=few_cases, case=few_cases.case("case-0.png"))
    desk.choose("done")
    assert reasons(desk) == ["none"]
    desk.press("Escape")
    desk.draw(("16", (10, 10, 20, 20), True), ("26", (40, 10, 20, 20), True))
    desk.choose("done")
    assert reasons(desk) == ["few"]
    expect(question(desk)).to_contain_text("only 2 objects. A full set of teeth has 28.")
    desk.page.get_by_test_id("ask-few").uncheck()
    desk.choose("closing-back")
    desk.choose("done")
    desk.shown(few_cases.case("case-1.png"))


def test_the_next_case_is_the_next_unfinished_one(first: Desk) -> None:
    server = first.server
    finished = server.case("case-1.png")
    server.append(
        finished, [{"id": str(uuid4()), "time": 1, "kind": "status", "object": None, "data": {"status": "done"}}]
    )
    first.saved()
    first.page.reload()
    first.shown()
    closed(first)
    first.shown(server.case("case-2.png"))
    # After the last of the list the first that is left, which here is the one before.
    for name, left in (("case-2.png", "1 case is left."), ("case-3.png", "All 4 cases are finished.")):
        assert first.case == server.case(name)
        complete(first)
        closed(first)
        first.toast(f"{name} is done. {left}")
        if name == "case-2.png":
            first.shown(server.case("case-3.png"))
    assert status(first) == "done"
    first.saved()


def test_z_takes_done_back(first: Desk) -> None:
    server, done = first.server, first.case
    first.saved()
    objects = first.objects().keys()
    closed(first)
    first.shown(server.case("case-1.png"))
    # Nothing was done in the next case: Z opens the closed one again.
    first.press("z")
    first.shown(done)
    assert status(first) == "in-progress"
    assert first.objects().keys() == objects
    first.saved()
    assert server.document(done)["case"]["status"] == "in-progress"

    # Once something was done there, Z is for that, and the message keeps its button.
    closed(first)
    first.shown(server.case("case-1.png"))
    complete(first)
    first.press("z")
    assert first.case == server.case("case-1.png")
    first.choose("toast-action")
    first.shown(done)
    assert status(first) == "in-progress"
    first.saved()
    assert server.document(done)["case"]["status"] == "in-progress"
    expect(first.page.get_by_test_id("case-status")).to_have_value("in-progress", timeout=PATIENCE)
