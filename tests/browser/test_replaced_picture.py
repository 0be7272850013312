"""An image file that is replaced under an open page: old picture and new mask never stand together unsaid."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from dentasam.data.phantom import generate

from .desk import PATIENCE, Desk, Open, Watch
from .serving import Server
from .worklist import middle, overlap

TOOTH = "36"
IMAGES = 4


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over an image for each test, all of them the same."""
    folder = tmp_path_factory.mktemp("replaced") / "images"
    folder.mkdir()
    for number in range(IMAGES):
        Image.fromarray(generate(3).image).save(folder / f"opg-{number}.png", compress_level=0)
    running = Server(folder).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def unused(fragile: Server) -> list[Path]:
    return sorted(fragile.folder.glob("*.png"))


@pytest.fixture
def path(unused: list[Path]) -> Path:
    """An image that no other test replaces."""
    return unused.pop()


@pytest.fixture
def desk(fragile: Server, path: Path, open_desk: Open) -> Desk:
    return open_desk(server=fragile, case=fragile.case(path.name))


def replace(path: Path, pixels: np.ndarray) -> None:
    """Another picture in the file, with the date that it had."""
    before = path.stat()
    Image.fromarray(pixels).save(path, compress_level=0)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def pixels_shown(desk: Desk) -> np.ndarray:
    height, width = desk.shape
    found = desk.page.evaluate("() => Array.from(dentasam.stage.image.pixels)")
    return np.array(found, np.uint8).reshape(height, width)


def test_a_click_on_the_old_picture_says_that_there_is_a_new_one(desk: Desk, path: Path) -> None:
    phantom = generate(3)
    tooth = next(each.mask for each in phantom.objects if each.category == TOOTH)
    desk.predicted(*middle(tooth))
    kept = desk.mask()
    assert overlap(kept, tooth) > 0.5
    desk.saved()

    mirrored = phantom.image[:, ::-1]
    size = path.stat().st_size
    replace(path, mirrored)
    assert path.stat().st_size == size
    # No mask of the new picture comes onto the old one.
    desk.press("n")
    place = middle(tooth[:, ::-1])
    desk.click(*place)
    notice = desk.page.get_by_test_id("picture-notice")
    expect(notice).to_contain_text("The picture's file was replaced.", timeout=PATIENCE)
    desk.until("!document.querySelector('[data-testid=busy]')")
    assert [object["area"] for object in desk.objects().values() if object["area"]] == [kept.sum()]
    assert np.array_equal(pixels_shown(desk), phantom.image)

    desk.choose("reload-picture")
    expect(notice).to_have_count(0)
    assert np.array_equal(pixels_shown(desk), mirrored)
    desk.page.evaluate("() => dentasam.stage.drawn()")
    desk.stage.focus()
    desk.press("n")
    desk.predicted(*place)
    assert overlap(desk.mask(), tooth[:, ::-1]) > 0.5
    # The labels of before are as they were.
    assert any(np.array_equal(object["mask"], kept) for object in desk.objects().values())
    desk.agrees()


def thumbnail_shown(desk: Desk) -> np.ndarray:
    """The picture of the case in the worklist, (12, 24) in 0 to 255."""
    found = desk.page.evaluate(
        """(id) => {
            const image = document.querySelector(`[data-testid="case-${id}"] img`);
            const context = new OffscreenCanvas(24, 12).getContext("2d");
            context.drawImage(image, 0, 0, 24, 12);
            return Array.from(context.getImageData(0, 0, 24, 12).data);
        }""",
        desk.case,
    )
    return np.array(found, float).reshape(12, 24, 4)[:, :, 0]


def test_the_worklist_shows_the_picture_that_the_file_holds_now(desk: Desk, path: Path) -> None:
    desk.choose("worklist-toggle")
    whole = generate(3).image
    half = whole.copy()
    half[:, : half.shape[1] // 2] = 0
    desk.until(f"document.querySelector('[data-testid=case-{desk.case}] img').complete")
    assert thumbnail_shown(desk)[:, :11].mean() > 20
    replace(path, half)
    expect(desk.page.get_by_test_id("picture-notice")).to_be_visible(timeout=PATIENCE)
    for _ in range(100):
        shown = thumbnail_shown(desk)
        if shown[:, :11].max() < 20:
            break
        desk.page.wait_for_timeout(100)
    assert shown[:, :11].max() < 20
    assert shown[:, 13:].mean() > 20


def test_an_idle_page_learns_of_it_too(desk: Desk, path: Path) -> None:
    replace(path, generate(4).image)
    notice = desk.page.get_by_test_id("picture-notice")
    expect(notice).to_contain_text("Show the new picture", timeout=PATIENCE)
    replace(path, generate(3).image)
    expect(notice).to_have_count(0, timeout=PATIENCE)


def test_a_picture_of_another_size_is_refused_and_the_labels_stay(desk: Desk, path: Path, watch: Watch) -> None:
    watch.allow("410")
    desk.tool("b", size=20)
    desk.stroke([(300.0, 150.0), (420.0, 160.0)])
    replace(path, generate(3).image[:-10])
    notice = desk.page.get_by_test_id("picture-notice")
    expect(notice).to_contain_text(f"{path.name} is now another picture of", timeout=PATIENCE)
    expect(desk.page.get_by_test_id("reload-picture")).to_have_count(0)
    desk.stroke([(300.0, 200.0), (420.0, 210.0)])
    desk.agrees()
    replace(path, generate(3).image)
    expect(notice).to_have_count(0, timeout=PATIENCE)
