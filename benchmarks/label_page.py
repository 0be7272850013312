"""What the labelling page costs in a browser, on full-size images: painting, transparency, undo, clicks, cases.

    .venv/bin/python benchmarks/label_page.py [--images DIR] [--cases 200] [--objects 32] [--dabs 800] [--json FILE]

Without --images it takes ../shared/data/abdi beside the checkout where there is one, else a phantom. Painting happens
on one image brought to 3000 x 1500. The browser is headless Chromium as it starts where no graphics card helps.

"Work" is what the page does from the event until the frame that shows it is painted, without the wait for that frame;
"shown" is with it. Beside the brush runs a naive one, an event of it after every so many of ours: it blends all masks
anew and puts the whole picture onto its canvas. Exit code 0 also where a wanted time is not reached.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import runpy
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
from label_cases import annotate, full_size_image, serving
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from rich.console import Console
from rich.table import Table

from dentasam.data.images.read import read_image
from dentasam.labelling.inference.encoding.uncertainty import LEFT, RIGHT

ROOT = Path(__file__).parent.parent
PAINTED = "painted.png"
SIZE = (3000, 1500)
VIEWPORT: ViewportSize = {"width": 1920, "height": 1080}
BRUSH = 60
NAIVE_EVENTS = 12
# Where an object is clicked after its first click, as shares of the height.
LATER_CLICKS = (0.48, 0.465, 0.47)
PATIENCE = 600_000


@dataclass
class Results:
    """Rows of p50 and p95 in milliseconds, and what they are compared with."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    ratios: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, times: list[float], below: float | None = None, at: int = 95) -> None:
        """`below`: what the percentile `at` should stay under."""
        row: dict[str, Any] = {"name": name, "n": len(times)}
        row |= {f"p{share}_ms": float(np.percentile(times, share)) for share in (50, 95)}
        if below is not None:
            row |= {"wanted": f"p{at} < {below:g}", "met": row[f"p{at}_ms"] < below}
        self.rows.append(row)

    def table(self, work: str) -> Table:
        table = Table(title=f"The labelling page, ms\n{work}")
        for heading in ("", "n", "p50", "p95", "wanted", ""):
            table.add_column(heading, justify="right" if heading in ("n", "p50", "p95") else "left")
        for row in self.rows:
            met = {True: "met", False: "not met", None: ""}[row.get("met")]
            p50, p95 = f"{row['p50_ms']:.1f}", f"{row['p95_ms']:.1f}"
            table.add_row(row["name"], str(row["n"]), p50, p95, row.get("wanted", ""), met)
        return table


@contextmanager
def page_of(browser: Browser, url: str, case: int) -> Iterator[Page]:
    """A page of its own, with the case open and the measuring functions in it."""
    context = browser.new_context(viewport=VIEWPORT)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}#case={case}", wait_until="commit")
    page.evaluate(
        """async () => {
            const open = () => window.dentasam?.editor && dentasam.stage?.image;
            while (!open()) await new Promise((resolve) => setTimeout(resolve, 5));
            await dentasam.stage.drawn();
        }"""
    )
    page.evaluate((Path(__file__).parent / "label_page.js").read_text())
    yield page
    context.close()


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


def brush(page: Page, results: Results, dabs: int) -> None:
    """One long stroke of real pointer moves, with an event of the naive brush after every so many."""
    page.keyboard.press("b")
    page.get_by_test_id("brush-size").fill(str(BRUSH))
    page.evaluate("() => dentasam.editor.setActive(dentasam.editor.objects[0].id)")
    page.evaluate("() => measured.prepareNaive()")
    path = [
        place(page, 0.12 * SIZE[0] + 0.76 * SIZE[0] * share, SIZE[1] * (0.5 + 0.3 * np.sin(40 * share)))
        for share in np.linspace(0, 1, dabs)
    ]
    naive = []
    page.mouse.move(*path[0])
    page.mouse.down()
    page.evaluate("() => measured.watch()")
    for index, at in enumerate(path):
        page.mouse.move(*at)
        if (index + 1) % max(1, dabs // NAIVE_EVENTS) == 0:
            naive.append(page.evaluate("([share, size]) => measured.naive(share, size)", [index / dabs, BRUSH]))
    events, frames = page.evaluate("() => measured.watched()")
    page.mouse.up()
    each = float(np.mean(events)) + float(np.mean(frames)) * len(frames) / len(events)
    results.add("brush, handler of an event", events, 16)
    results.add("brush, a frame with it", frames, 16)
    results.add("brush, naive repaint at an event", naive)
    hundred = min(100, len(events) // 2)
    first, last = (float(np.mean(part)) for part in (events[:hundred], events[-hundred:]))
    results.ratios["first_hundred_dabs_vs_last"] = first / last
    results.ratios["brush_vs_naive"] = float(np.mean(naive)) / each


def transparency_and_undo(page: Page, results: Results, times: int) -> None:
    def add(name: str, taken: list[dict[str, float]], below: float) -> None:
        results.add(f"{name}, work", [each["work"] for each in taken], below)
        results.add(f"{name}, shown", [each["shown"] for each in taken])

    add("opacity", page.evaluate("(times) => measured.opacity(times)", times), 16)
    page.evaluate("([times, size]) => measured.strokes(times, size)", [times, BRUSH])
    add("undo of a stroke", page.evaluate("(times) => measured.undo(times)", times), 50)
    taken = page.evaluate("([times, size]) => measured.takenBack(times, size)", [times // 2, BRUSH])
    add(f"undo of a stroke that took from {taken['robbed']}", taken["found"], 50)


def clicks(page: Page, results: Results, times: int) -> None:
    """First clicks of new objects and later ones into each, apart by what answered: their window or the image."""
    height, width = page.evaluate("() => [dentasam.editor.height, dentasam.editor.width]")
    page.keyboard.press("c")
    found: dict[tuple[str, str], list[float]] = {}
    for turn in range(times + 1):
        share = (turn + 0.5) / (times + 1)
        # On a case without other objects a click is for this one, or the page asks.
        page.evaluate("() => dentasam.editor.activeId && dentasam.editor.remove(dentasam.editor.activeId)")
        page.keyboard.press("n")
        for which, down in (("first", 0.45), *(("later", down) for down in LATER_CLICKS)):
            page.evaluate("() => measured.click()")
            page.mouse.click(*place(page, width * (LEFT + (RIGHT - LEFT) * share), height * down))
            if page.get_by_test_id("click-question").is_visible():
                page.keyboard.press("Enter")
            taken = page.evaluate("() => window.clicked")
            answered_by = page.evaluate("() => dentasam.editor.active.model.answered_by")
            if turn > 0:  # the first warms up
                found.setdefault((which, answered_by), []).append(taken)
    for (which, answered_by), taken in sorted(found.items()):
        by = "its window" if answered_by == "window" else "the whole image"
        results.add(f"{which} click → mask by {by}, shown", taken, 250, at=50)


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
        for _ in cases[1 : times + 1]:
            # The next case, read ahead in full.
            page.evaluate(
                r"""async () => {
                    const there = () => performance.getEntriesByType("resource").some(
                        ({ name, responseEnd }) => /\/api\/cases\/\d+\/pixels$/.test(name) && responseEnd > 0);
                    while (!there()) await new Promise((resolve) => setTimeout(resolve, 20));
                    await new Promise((resolve) => setTimeout(resolve, 100));
                    performance.clearResourceTimings();
                }"""
            )
            switches.append(page.evaluate("() => measured.switched()"))
        results.add("case switch, prefetched, shown", switches, 300)
        far = [one["id"] for one in cases[times + 10 :: 7]][:times]
        jump = "(id) => measured.switched(() => document.querySelector(`[data-testid=case-${id}]`).click())"
        if far:
            results.add("case opened from the list, shown", [page.evaluate(jump, id) for id in far])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    announce = Console(stderr=True).print
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        image = full_size_image(arguments.images, Path(scratch))
        few, many = Path(scratch) / "few", Path(scratch) / "many"
        few.mkdir()
        many.mkdir()
        Image.fromarray(cv2.resize(read_image(image), SIZE)).save(few / PAINTED, compress_level=1)
        annotate(few, arguments.objects)
        clicked = few / f"clicked{image.suffix}"
        shutil.copyfile(image, clicked)
        # The same file again and again: one encode serves all.
        for index in range(arguments.cases):
            os.link(clicked, many / f"case-{index:04d}{image.suffix}")
        announce(f"putting {arguments.objects} objects into each of {arguments.cases} cases")
        annotate(many, arguments.objects)

        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        announce("serving two cases")
        with serving(few, "--no-proposals") as (url, client):
            ids = {case["name"]: case["id"] for case in client.get("/api/cases").json()}
            with page_of(browser, url, ids[PAINTED]) as page:
                renderer = page.evaluate("() => dentasam.stage.renderer.kind")
                announce("brush")
                brush(page, results, arguments.dabs)
                announce("opacity and undo")
                transparency_and_undo(page, results, arguments.times)
            with page_of(browser, url, ids[clicked.name]) as page:
                size = page.evaluate("() => `${dentasam.editor.width} x ${dentasam.editor.height}`")
                announce("clicks")
                clicks(page, results, arguments.times // 2)
        announce(f"serving {arguments.cases} cases")
        with serving(many, "--no-proposals") as (url, client):
            many_cases(browser, url, client, results, arguments.times // 2)
        version = browser.version
        browser.close()

    work = (
        f"{arguments.dabs} dabs of {BRUSH} px on {SIZE[0]} x {SIZE[1]} with {arguments.objects} objects; clicks and "
        f"{arguments.cases} cases x {arguments.objects} objects on {size}; {renderer}, Chromium {version}"
    )
    console.print(results.table(work))
    for name, value in results.ratios.items():
        console.print(f"{name}  x{value:.2f}")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"
    console.print(machine)
    if arguments.json is not None:
        found = {"machine": machine, "work": work, "rows": results.rows, "ratios": results.ratios}
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
