"""A page closed, a browser or a server killed, a disk that is full: no completed stroke is missing."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Error, Playwright, Route

from dentasam.labelling.exchange.offline import open_workspace

from .chromium import FLAGS, path_of_chromium
from .desk import PATIENCE, Desk, Open, Watch, unreachable
from .serving import Server
from .worklist import WorkList

REFUSED = "Failed to load resource"

# The dentasam command with a database that may have no more pages than a file says: SQLite's own answer to a full
# disk, without having to fill one.
SMALL_DISK = """
import sys
from pathlib import Path
from sqlalchemy import Engine, event

limit = Path(sys.argv.pop(1))

@event.listens_for(Engine, "begin")
def limited(connection):
    connection.exec_driver_sql(f"PRAGMA max_page_count = {int(limit.read_text())}")

from dentasam.cli.app import main
sys.exit(main())
"""
LIMIT, UNLIMITED = "pages.txt", "1000000"


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory, worklist: WorkList) -> Iterator[Server]:
    """A server to be killed and filled up, over a few images."""
    folder = tmp_path_factory.mktemp("fragile") / "images"
    folder.mkdir()
    for name in ("first.png", "second.png", "third.png"):
        shutil.copyfile(worklist.folder / "copy-000.png", folder / name)
    (folder / LIMIT).write_text(UNLIMITED)
    running = Server(folder, program=[sys.executable, "-c", SMALL_DISK, str(folder / LIMIT)]).start()
    yield running
    running.stop()


def strokes(desk: Desk, count: int, *, row: float = 150.0) -> np.ndarray:
    """Paints lines one below the other; the mask of all objects then."""
    for index in range(count):
        desk.stroke([(300.0, row + 30 * index), (420.0, row + 9 + 30 * index)])
    return everything(desk)


def everything(desk: Desk) -> np.ndarray:
    found: np.ndarray = np.logical_or.reduce([object["mask"] for object in desk.objects().values()])
    return found


def test_page_closed_in_mid_stroke(desk: Desk, open_desk: Open, watch: Watch) -> None:
    watch.allow(REFUSED)
    context = desk.page.context
    desk.tool("b", size=20)
    done = strokes(desk, 2)
    desk.saved()
    with unreachable(context):
        done |= strokes(desk, 2, row=230.0)
        desk.state("offline")
        desk.stroke([(300.0, 350.0), (420.0, 360.0)], lift=False)
        begun = everything(desk)
        desk.page.close()
    assert (begun & ~done).any()
    again = open_desk(context=context)
    found = everything(again)
    assert np.array_equal(found, done) or np.array_equal(found, begun)
    again.agrees()


def test_browser_killed_while_the_server_is_away(
    playwright: Playwright, server: Server, case: int, watch: Watch, tmp_path: Path
) -> None:
    watch.allow(REFUSED)

    def start() -> Desk:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=path_of_chromium(), args=FLAGS
        )
        context.set_default_timeout(PATIENCE)
        watch.over(context)
        return Desk(context.new_page(), server, case).open()

    desk = start()
    desk.tool("b", size=20)
    strokes(desk, 2)
    desk.saved()
    process = desk.page.context.browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")  # type: ignore[union-attr]
    (killed,) = [each["id"] for each in process["processInfo"] if each["type"] == "browser"]
    desk.page.context.route("**/api/**", lambda route: route.abort("connectionrefused"))
    done = strokes(desk, 3, row=230.0)
    desk.state("offline")
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(Error):
        desk.page.evaluate("() => new Promise(() => undefined)")

    again = start()
    assert np.array_equal(everything(again), done)
    again.agrees()
    again.page.context.close()


def test_server_killed_while_painting(open_desk: Open, fragile: Server, watch: Watch) -> None:
    watch.allow(REFUSED)
    case = fragile.case("first.png")
    desk = open_desk(server=fragile, case=case)
    desk.tool("b", size=20)
    strokes(desk, 3)
    fragile.kill()
    done = strokes(desk, 3, row=250.0)
    desk.state("offline")
    fragile.start()
    again = open_desk(server=fragile, case=case, context=desk.page.context)
    desk.page.get_by_test_id("save-state").click()
    desk.agrees()
    assert np.array_equal(everything(desk), done)
    again.page.evaluate("() => dentasam.sync.pull()")
    assert np.array_equal(everything(again), done)


def test_page_reloaded_after_a_server_was_away(open_desk: Open, fragile: Server, watch: Watch) -> None:
    watch.allow(REFUSED)
    case = fragile.case("second.png")
    desk = open_desk(server=fragile, case=case)
    desk.tool("b", size=20)
    strokes(desk, 1)
    desk.saved()
    acknowledged = everything(desk)
    fragile.kill()
    with open_workspace(fragile.folder) as (_, store, _):
        (kept,) = store.state(case).objects.values()
        assert kept.mask is not None
        assert np.array_equal(kept.mask.on_image(*desk.shape), acknowledged)
    done = strokes(desk, 3, row=250.0)
    desk.state("offline")
    context = desk.page.context
    desk.page.close()
    fragile.start()
    again = open_desk(server=fragile, case=case, context=context)
    assert np.array_equal(everything(again), done)
    again.agrees()


def test_full_disk(open_desk: Open, fragile: Server, watch: Watch) -> None:
    watch.allow(REFUSED)
    limit = fragile.folder / LIMIT
    case = fragile.case("third.png")
    desk = open_desk(server=fragile, case=case)
    desk.tool("b", size=20)
    strokes(desk, 1)
    desk.saved()
    limit.write_text("1")
    # More than fits into pages which the database has already.
    desk.page.evaluate(
        """() => {
            const { editor } = dentasam;
            for (let index = 0; index < 60; index++) {
                editor.beginStroke("brush", [100, 20 + 7 * index]);
                for (let step = 1; step < 90; step++) {
                    editor.extendStroke([[100 + 9 * step, 20 + 7 * index + step % 5]]);
                }
                editor.endStroke();
            }
        }"""
    )
    done = strokes(desk, 2, row=250.0)
    desk.state("full")
    assert desk.page.evaluate("() => dentasam.sync.status().pending") > 0
    assert np.array_equal(everything(desk), done)
    limit.write_text(UNLIMITED)
    desk.page.get_by_test_id("save-state").click()
    desk.agrees()
    stored = np.logical_or.reduce([object["mask"] for object in fragile.objects(case).values()])
    assert np.array_equal(stored, done)


def test_server_that_answers_with_faults(desk: Desk, watch: Watch) -> None:
    watch.allow(REFUSED)
    context = desk.page.context
    desk.tool("b", size=20)
    answers = iter([507, 500, 503])

    def faulty(route: Route) -> None:
        status = next(answers, None)
        if status is None:
            route.continue_()
        else:
            route.fulfill(status=status, json={"detail": "the disk of the labelling database is full"})

    context.route("**/operations", faulty)
    done = strokes(desk, 2)
    desk.saved()
    desk.agrees()
    assert np.array_equal(everything(desk), done)
    assert next(answers, None) is None
