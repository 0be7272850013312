"""What the labelling page costs in a browser, on full-size images: painting, transparency, undo, clicks, cases.

    python benchmarks/label_page.py [--images DIR] [--cases 200] [--objects 32] [--dabs 800] [--json FILE]

Without --images it takes ../shared/data/abdi beside the checkout where there is one, else a phantom. Painting happens
on one image brought to 3000 x 1500. The browser is headless Chromium, where no graphics card helps. Beside the brush
stands a naive one in the same run, which blends all masks anew and puts the whole picture onto its canvas at each
event. "Work" is the page's own, from the event to the end of drawing; "shown" includes the wait for the next frame.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dentasam.data.image import read_image
from dentasam.labelling.masks import BoxMask
from dentasam.labelling.offline import opened
from dentasam.labelling.operations import parse_operation
from dentasam.labelling.store import Store
from dentasam.labelling.uncertainty import LEFT, RIGHT

ROOT = Path(__file__).parent.parent
BESIDE = ROOT.parent / "shared" / "data" / "abdi"
PAINTED = "painted.png"
SIZE = (3000, 1500)
VIEWPORT = {"width": 1920, "height": 1080}
BRUSH = 60
NAIVE_EVENTS = 12
PATIENCE = 600_000


@dataclass
class Results:
    """Rows of p50 and p95 in milliseconds, and what they are compared with."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    ratios: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, times: list[float], limit: str = "") -> None:
        p50, p95 = (float(np.percentile(times, share)) for share in (50, 95))
        self.rows.append({"name": name, "n": len(times), "p50_ms": p50, "p95_ms": p95, "wanted": limit})


def full_size(folder: Path | None) -> list[Path]:
    """Full-size images; [] where there are none here."""
    folder = folder or (BESIDE if BESIDE.is_dir() else None)
    return [] if folder is None else sorted(folder.glob("*.jpg")) + sorted(folder.glob("*.png"))


def phantom(path: Path) -> Path:
    from dentasam.data.phantom import generate

    Image.fromarray(generate(1, width=3100, height=1300).image).save(path)
    return path


def ellipses(height: int, width: int, count: int) -> list[BoxMask]:
    """Masks of the size of teeth in two rows across the image, each overlapping the next."""
    masks = []
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for index in range(count):
        column, row = divmod(index, 2)
        across = width * (LEFT + (RIGHT - LEFT) * (column + 0.5) / ((count + 1) // 2))
        down = height * (0.42 + 0.2 * row)
        reach = width * (RIGHT - LEFT) / count * 1.1, height * 0.1
        masks.append(BoxMask.of(((x - across) / reach[0]) ** 2 + ((y - down) / reach[1]) ** 2 <= 1))
    return masks


def annotate(store: Store, case_id: int, masks: list[BoxMask]) -> None:
    """Puts objects into a case as an annotator would have."""
    documents = [
        {
            "id": str(uuid.uuid4()),
            "kind": "create",
            "object": str(uuid.uuid4()),
            "time": int(1000 * time.time()),
            "data": {"category": None, "parent": None, "source": "manual"},
            "mask": mask,
        }
        for mask in masks
    ]
    store.append(case_id, [parse_operation(document) for document in documents], 0, "benchmark")


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, httpx.Client]]:
    """`dentasam label` on a folder, once it has encoded every image: its address, and a client for its API."""
    command = [sys.executable, "-m", "dentasam", "label", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"})
    try:
        assert process.stdout is not None
        url = next(
            (found.group(0) for line in process.stdout if (found := re.search(r"http://\S+token=\S+", line))), ""
        )
        base, _, token = url.partition("/?token=")
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=600) as client:
            while True:
                progress = client.get("/api/progress").json()
                if progress["encoded"] + len(progress["failed"]) >= progress["total"]:
                    break
                time.sleep(0.5)
            yield url, client
    finally:
        process.terminate()
        process.wait(timeout=60)


@contextmanager
def page_of(browser: Browser, url: str, case: int) -> Iterator[Page]:
    """A page of its own, with the case open and the measuring functions in it."""
    context = browser.new_context(viewport=VIEWPORT)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}#case={case}", wait_until="commit")
    opened_case(page)
    page.evaluate((Path(__file__).parent / "label_page.js").read_text())
    yield page
    context.close()


def opened_case(page: Page) -> None:
    page.evaluate(
        """async () => {
            const open = () => window.dentasam?.editor && dentasam.stage?.image;
            while (!open()) await new Promise((resolve) => setTimeout(resolve, 5));
            await dentasam.stage.drawn();
        }"""
    )


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where an image point lies on the page."""
    found = page.evaluate(
        """([x, y]) => {
            const { left, top } = dentasam.stage.host.getBoundingClientRect();
            const [across, down] = dentasam.stage.view.toScreen(x, y);
            return [left + across, top + down];
        }""",
        [x, y],
    )
    return found[0], found[1]


def brush(page: Page, results: Results, dabs: int, objects: int) -> None:
    """One long stroke of real pointer moves, and the naive brush beside it."""
    page.keyboard.press("b")
    page.get_by_test_id("brush-size").fill(str(BRUSH))
    page.evaluate("() => dentasam.editor.setActive(dentasam.editor.objects[0].id)")
    turn = np.linspace(0, 1, dabs)
    path = [
        place(page, 0.12 * SIZE[0] + 0.76 * SIZE[0] * share, SIZE[1] * (0.5 + 0.3 * np.sin(40 * share)))
        for share in turn
    ]
    page.mouse.move(*path[0])
    page.mouse.down()
    page.evaluate("() => { dentasam.stage.timings.events.clear(); dentasam.stage.timings.frames.clear(); }")
    for at in path:
        page.mouse.move(*at)
    events, frames = page.evaluate(
        "() => [dentasam.stage.timings.events.values(), dentasam.stage.timings.frames.values()]"
    )
    page.mouse.up()
    naive = page.evaluate("([events, size]) => measured.naive(events, size)", [NAIVE_EVENTS, BRUSH])
    results.add("brush, handler of an event", events, "p95 < 16")
    results.add("brush, drawing of a frame", frames)
    results.add("brush, naive repaint of the canvas", naive)
    hundred = min(100, len(events) // 2)
    first, last = (float(np.mean(part)) for part in (events[:hundred], events[-hundred:]))
    results.ratios["last_hundred_dabs_vs_first"] = last / first
    each = float(np.mean(events)) + float(np.mean(frames)) * len(frames) / len(events)
    results.ratios["naive_vs_brush"] = float(np.mean(naive)) / each


def transparency_and_undo(page: Page, results: Results, times: int) -> None:
    taken = page.evaluate("(times) => measured.opacity(times)", times)
    results.add("opacity, work", [each["work"] for each in taken], "p95 < 16")
    results.add("opacity, shown", [each["shown"] for each in taken])
    page.evaluate("([times, size]) => measured.strokes(times, size)", [times, BRUSH])
    taken = page.evaluate("(times) => measured.undo(times)", times)
    results.add("undo of a stroke, work", [each["work"] for each in taken], "p95 < 50")
    results.add("undo of a stroke, shown", [each["shown"] for each in taken])


def clicks(page: Page, results: Results, times: int) -> None:
    """First clicks of new objects, and a second one into each."""
    height, width = page.evaluate("() => [dentasam.editor.height, dentasam.editor.width]")
    page.keyboard.press("c")
    found: dict[str, list[float]] = {"first": [], "second": []}
    for turn in range(times + 1):
        share = (turn + 0.5) / (times + 1)
        page.evaluate("() => dentasam.editor.setActive(null)")
        for which, down in (("first", 0.45), ("second", 0.48)):
            page.evaluate("() => measured.click()")
            page.mouse.click(*place(page, width * (LEFT + (RIGHT - LEFT) * share), height * down))
            taken = page.evaluate("() => window.clicked")
            if turn > 0:  # the first warms up
                found[which].append(taken)
    results.add("click → mask, shown", found["first"], "p50 < 250")
    results.add("second click → mask, shown", found["second"], "p50 < 250")


def many_cases(browser: Browser, url: str, client: httpx.Client, results: Results, times: int) -> None:
    cases = client.get("/api/cases").json()
    listed = []
    for _ in range(times):
        started = time.perf_counter()
        client.get("/api/cases").raise_for_status()
        listed.append(1000 * (time.perf_counter() - started))
    results.add(f"list of {len(cases)} cases, API", listed)
    opening = []
    for one in cases[:5]:
        started = time.perf_counter()
        with page_of(browser, url, one["id"]):
            opening.append(1000 * (time.perf_counter() - started))
    results.add("page, from its address to the first picture", opening)
    with page_of(browser, url, cases[0]["id"]) as page:
        switches = []
        for one in cases[1 : times + 1]:
            # Read ahead, in full.
            page.evaluate(
                """async (path) => {
                    const there = () => performance.getEntriesByType("resource").some(
                        (entry) => entry.name.endsWith(path) && entry.responseEnd > 0);
                    while (!there()) await new Promise((resolve) => setTimeout(resolve, 20));
                    await new Promise((resolve) => setTimeout(resolve, 100));
                    performance.clearResourceTimings();
                }""",
                f"/api/cases/{one['id']}/pixels",
            )
            switches.append(page.evaluate("() => measured.switched()"))
        results.add("case switch, prefetched, shown", switches, "< 300")
        far = [one["id"] for one in cases[times + 10 :: 7]][:times]
        jumps = [
            page.evaluate(
                "(id) => measured.switched(() => document.querySelector(`[data-testid=case-${id}]`).click())", id
            )
            for id in far
        ]
        if jumps:
            results.add("case opened from the list, not prefetched, shown", jumps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--objects", type=int, default=32)
    parser.add_argument("--dabs", type=int, default=800)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    chromium = runpy.run_path(str(ROOT / "tests" / "provide.py"))["chromium"]()
    if chromium is None:
        sys.exit("no Chromium here; python tests/provide.py installs one")
    console, results = Console(), Results()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        images = full_size(arguments.images) or [phantom(Path(scratch) / "phantom.png")]
        few, many = Path(scratch) / "few", Path(scratch) / "many"
        few.mkdir()
        many.mkdir()
        clicked = few / f"clicked{images[0].suffix}"
        shutil.copyfile(images[0], clicked)
        Image.fromarray(cv2.resize(read_image(images[0]), SIZE)).save(few / PAINTED, compress_level=1)
        # The same file again and again: one encode serves all.
        for index in range(arguments.cases):
            os.link(clicked, many / f"case-{index:04d}{clicked.suffix}")
        with opened(few) as (_, store, _):
            painted = next(case for case in store.cases() if case.name == PAINTED)
            annotate(store, painted.id, ellipses(SIZE[1], SIZE[0], arguments.objects))
        with opened(many) as (workspace, store, _):
            masks = ellipses(workspace.images[0].height, workspace.images[0].width, arguments.objects)
            for case in track(store.cases(), f"{arguments.cases} cases x {arguments.objects} objects"):
                annotate(store, case.id, masks)

        flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        with serving(few) as (url, client):
            ids = {case["name"]: case["id"] for case in client.get("/api/cases").json()}
            with page_of(browser, url, ids[PAINTED]) as page:
                renderer = page.evaluate("() => dentasam.stage.renderer.kind")
                brush(page, results, arguments.dabs, arguments.objects)
                transparency_and_undo(page, results, arguments.times)
            with page_of(browser, url, ids[clicked.name]) as page:
                size = page.evaluate("() => `${dentasam.editor.width} x ${dentasam.editor.height}`")
                clicks(page, results, arguments.times // 2)
        with serving(many) as (url, client):
            many_cases(browser, url, client, results, arguments.times // 2)
        version = browser.version
        browser.close()

    work = (
        f"{arguments.dabs} dabs of {BRUSH} px on {SIZE[0]} x {SIZE[1]} with {arguments.objects} objects; clicks and "
        f"{arguments.cases} cases x {arguments.objects} objects on {size}; {renderer}, Chromium {version}"
    )
    table = Table(title=f"The labelling page, ms\n{work}")
    for heading in ("", "n", "p50", "p95", "wanted"):
        table.add_column(heading, justify="right" if heading in ("n", "p50", "p95") else "left")
    for row in results.rows:
        table.add_row(row["name"], str(row["n"]), f"{row['p50_ms']:.1f}", f"{row['p95_ms']:.1f}", row["wanted"])
    console.print(table)
    for name, value in results.ratios.items():
        console.print(f"{name}  x{value:.2f}")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"
    console.print(machine)
    if arguments.json is not None:
        found = {"machine": machine, "work": work, "rows": results.rows, "ratios": results.ratios}
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
