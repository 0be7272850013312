"""The page around the picture: help, theme, worklist, names for screen readers, and no WebGL2."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Playwright, expect

from .chromium import path_of_chromium
from .desk import PATIENCE, Desk, Open, Watch
from .painting import swept
from .serving import Server

# Everything that can be pressed or filled in, and has neither text nor a name.
NAMELESS = """() => [...document.querySelectorAll("button, input, select, textarea, a, [role=button], [tabindex]")]
    .filter((element) => element.checkVisibility())
    .filter((element) => {
        const by = (element.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean);
        const texts = [element.getAttribute("aria-label"), element.textContent, element.title,
                       ...by.map((id) => document.getElementById(id)?.textContent),
                       ...[...(element.labels ?? [])].map((label) => label.textContent)];
        return !texts.some((text) => text?.trim());
    })
    .map((element) => element.outerHTML.slice(0, 200))"""

# Lists whose choice needs more room than they have: as wide as a list without limits is, or cut.
CUT_SELECTS = """() => [...document.querySelectorAll(".worklist select")].filter((select) => {
    const free = select.cloneNode(true);
    free.style.cssText = "position: absolute; flex: none; width: max-content";
    select.parentElement.append(free);
    const wanted = free.getBoundingClientRect().width;
    free.remove();
    return select.getBoundingClientRect().width < wanted - 0.5;
}).map((select) => select.ariaLabel)"""


def test_help_lists_the_keys(desk: Desk) -> None:
    desk.press("?")
    dialog = desk.page.get_by_test_id("help-dialog")
    expect(dialog).to_be_visible()
    for text in ("Brush", "Undo", "Refine", "Accept", "Hold: the bare X-ray", "Next case"):
        expect(dialog.get_by_text(text).first).to_be_visible()
    assert dialog.locator("kbd").count() > 50
    # Behind it nothing happens.
    desk.press("b")
    assert desk.page.evaluate("() => dentasam.stage.tool") == "click"
    desk.press("?")
    expect(dialog).not_to_be_visible()
    desk.press("b")
    assert desk.page.evaluate("() => dentasam.stage.tool") == "brush"


def test_theme_is_dark_at_first_and_remembered(desk: Desk, open_desk: Open) -> None:
    brightness = "() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    assert max(desk.page.evaluate(brightness)) < 80
    desk.choose("theme")
    assert min(desk.page.evaluate(brightness)) > 180
    assert min(open_desk(context=desk.page.context).page.evaluate(brightness)) > 180


def test_everything_has_a_name(open_desk: Open) -> None:
    desk = open_desk(viewport={"width": 1920, "height": 1080})
    desk.tool("b", size=20)
    desk.choose("brush-limited")
    desk.stroke([(300.0, 200.0), (420.0, 200.0)])
    desk.page.get_by_role("button", name="Comments").click()
    expect(desk.page.get_by_test_id("worklist")).to_be_visible()
    expect(desk.page.get_by_test_id("object")).to_be_visible()
    assert desk.page.evaluate("() => document.querySelectorAll('button, input, select').length") > 60
    assert desk.page.evaluate(NAMELESS) == []
    assert desk.page.evaluate("() => document.documentElement.lang") == "en"
    assert desk.page.evaluate("() => document.querySelectorAll('h1').length") == 1
    ids = desk.page.evaluate("() => [...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_nothing_is_cut_off(open_desk: Open, width: int, height: int) -> None:
    desk = open_desk(viewport={"width": width, "height": height})
    overflow = "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert desk.page.evaluate(overflow) == [width, height]
    for test_id in ("opacity", "outline-opacity", "save-state", "undo", "redo", "auto-refine", "case-status", "help"):
        box = desk.page.get_by_test_id(test_id).bounding_box()
        assert box is not None, test_id
        assert box["x"] >= 0, test_id
        assert box["y"] >= 0, test_id
        assert box["x"] + box["width"] <= width, test_id
        assert box["y"] + box["height"] <= height, test_id
    stage = desk.stage.bounding_box()
    assert stage is not None
    assert stage["width"] * stage["height"] > 0.5 * width * height
    if width < 1500:  # where the list is hidden at first
        desk.choose("worklist-toggle")
    desk.page.get_by_test_id("worklist-sort").select_option("uncertainty")
    desk.page.get_by_test_id("worklist-status").select_option("needs-review")
    assert desk.page.evaluate(CUT_SELECTS) == []


@pytest.mark.parametrize("renderer", ["webgl2", "canvas2d"])
def test_picture_is_drawn_in_the_frame_that_resizes_it(open_desk: Open, renderer: str) -> None:
    desk = open_desk(renderer=renderer)
    # An observer made later hears of the new size later, but still before the frame is shown.
    shown = desk.page.evaluate(
        """() => new Promise((resolve) => {
            const { host } = dentasam.stage;
            const canvas = host.querySelector("canvas");
            const before = canvas.width;
            new ResizeObserver(() => {
                if (canvas.width === before) return;
                const copy = new OffscreenCanvas(canvas.width, canvas.height);
                const context = copy.getContext("2d");
                context.drawImage(canvas, 0, 0);
                const { data } = context.getImageData(0, copy.height >> 1, copy.width, 1);
                resolve(Math.max(...data.filter((_, index) => index % 4 === 0)));
            }).observe(host);
            document.querySelector("[data-testid=worklist-toggle]").click();
        })"""
    )
    assert shown > 100


def test_worklist_filters_sorts_and_opens(open_desk: Open, case: int) -> None:
    desk = open_desk(viewport={"width": 1920, "height": 1080})
    desk.tool("b", size=20)
    desk.stroke([(300.0, 200.0), (420.0, 200.0)])
    entry = desk.page.get_by_test_id(f"case-{case}")
    expect(entry).to_have_attribute("aria-current", "true")
    expect(entry).to_contain_text("In progress")
    expect(entry.locator("img")).to_be_visible()
    desk.until(f"document.querySelector('[data-testid=case-{case}] img').naturalWidth === 240")
    desk.page.get_by_test_id("case-status").select_option("needs-review")
    desk.page.get_by_test_id("worklist-status").select_option("needs-review")
    expect(entry).to_be_visible()
    desk.saved()
    assert desk.server.document(case)["case"]["status"] == "needs-review"
    desk.page.get_by_test_id("worklist-status").select_option("all")
    name = desk.server.next_name(case)
    desk.page.get_by_test_id("worklist-search").fill(name)
    expect(desk.page.get_by_test_id("worklist").get_by_role("listitem")).to_have_count(1)
    desk.choose(f"case-{desk.server.case(name)}")
    desk.shown(desk.server.case(name))
    expect(desk.page.get_by_test_id("case-name")).to_have_text(name)


def test_labels_are_downloaded(desk: Desk) -> None:
    desk.tool("b", size=20)
    desk.stroke([(300.0, 200.0), (420.0, 200.0)])
    desk.choose("downloads")
    desk.saved()
    with desk.page.expect_download() as coco:
        desk.choose("download-coco")
    document = json.loads(Path(coco.value.path()).read_text())
    shown = desk.page.get_by_test_id("case-name").text_content()
    (image,) = [image for image in document["images"] if image["file_name"] == shown]
    assert [one["image_id"] for one in document["annotations"]].count(image["id"]) == 1
    expect(desk.page.get_by_test_id("downloads-dialog")).not_to_be_visible()

    desk.choose("downloads")
    desk.page.get_by_test_id("download-finished").check()
    with desk.page.expect_download() as masks:
        desk.choose("download-png")
    assert "/api/export/png?finished=true&key=" in masks.value.url
    assert zipfile.is_zipfile(masks.value.path())


def test_both_renderers_draw_the_same_picture(open_desk: Open) -> None:
    pictures = []
    for renderer in ("webgl2", "canvas2d"):
        desk = open_desk(renderer=renderer)
        if not desk.objects():
            desk.tool("b", size=40)
            desk.stroke([(300.0, 200.0), (420.0, 230.0)])
            desk.press("Shift+N")
            desk.stroke([(400.0, 240.0), (520.0, 230.0)])
            desk.saved()
        desk.press("Escape")
        desk.page.mouse.move(5, 5)
        pictures.append(desk.picture().astype(int))
    apart = np.abs(pictures[0] - pictures[1]).max(axis=2)
    assert (apart <= 3).mean() > 0.98
    assert apart.mean() < 1


def test_without_webgl2_the_page_works_as_well(
    playwright: Playwright, server: Server, case: int, watch: Watch
) -> None:
    flags = ["--no-sandbox", "--disable-3d-apis"]
    browser = playwright.chromium.launch(executable_path=path_of_chromium(), args=flags)
    try:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE)
        watch.over(context)
        desk = Desk(context.new_page(), server, case).open()
        assert desk.page.evaluate("() => document.createElement('canvas').getContext('webgl2')") is None
        assert desk.page.evaluate("() => dentasam.stage.renderer.kind") == "canvas2d"
        desk.tool("b", size=40)
        path = desk.stroke([(300.0, 200.0), (420.0, 230.0)])
        assert np.array_equal(desk.mask(), swept(path, 40, "round", desk.shape))
        desk.agrees()
    finally:
        browser.close()


def test_without_the_token_there_is_no_page(
    new_context: Callable[..., BrowserContext], server: Server, watch: Watch
) -> None:
    watch.allow("Failed to load resource")
    page = new_context().new_page()
    answer = page.goto(server.base)
    assert answer is not None
    assert answer.status in (401, 403)
    assert page.evaluate("() => window.dentasam === undefined")
