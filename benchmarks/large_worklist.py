"""Opens a labelling workspace of any size: the seconds until its worklist is there, at the API and on the page.

    python -m benchmarks.large_worklist FOLDER|DATASET.json [--no-page]

Prints one JSON object. `address_seconds` ends when the server prints its address, the loading of the model included;
`cases_seconds` is one reading of the list after that, `rows_seconds` from the page's address to the first rows.
`longest_task_ms` is the longest time for which the page answered nothing, while it was idle for ten seconds and while
it was searched and scrolled to its end. Images are encoded in the background meanwhile, as for a user.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import runpy
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
READS = 5
PATIENCE = 300_000
FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: "longtask", buffered: true });
"""


def open_worklist(source: Path, page: bool) -> dict[str, Any]:
    """What it takes to open the workspace of `source`; without `page` at the API alone."""
    command = [sys.executable, "-m", "dentasam", "label", str(source), "--port", "0", "--no-proposals"]
    started = time.perf_counter()
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | {"COLUMNS": "200"}
    )
    try:
        assert server.stdout is not None
        addresses = (re.search(r"http://\S+token=\S+", line) for line in server.stdout)
        found = next((address for address in addresses if address), None)
        if found is None:
            sys.exit("dentasam label ended before it served anything")
        results: dict[str, Any] = {
            "address_seconds": time.perf_counter() - started,
            "address_cpu_seconds": _cpu_seconds(server.pid),
        }
        base, _, token = found.group(0).partition("/?token=")
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=600) as client:
            reads = []
            for _ in range(READS):
                started = time.perf_counter()
                answer = client.get("/api/cases").raise_for_status()
                reads.append(time.perf_counter() - started)
        results |= {
            "cases": len(answer.json()),
            "cases_seconds": statistics.median(reads),
            "cases_bytes": len(answer.content),
            "peak_bytes": _peak_bytes(server.pid),
        }
        return results | (_on_page(found.group(0)) if page else {})
    finally:
        server.terminate()
        server.wait(timeout=120)


def _on_page(url: str) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    chromium = runpy.run_path(str(ROOT / "tests" / "provide.py"))["chromium"]()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.set_default_timeout(PATIENCE)
        page.add_init_script(WATCH)
        started = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_selector(".case")
        results = {"rows_seconds": time.perf_counter() - started}
        page.wait_for_timeout(3_000)
        page.evaluate("() => void (window.longTasks.length = 0)")
        page.wait_for_timeout(10_000)
        for text in ("0001", ""):
            started = time.perf_counter()
            page.get_by_test_id("worklist-search").fill(text)
            page.evaluate(f"() => {FRAMES}")
        results["search_seconds"] = time.perf_counter() - started
        for share in (0.25, 0.5, 0.75, 1):
            page.evaluate(
                "(share) => { const list = document.querySelector('.cases'); "
                f"list.scrollTop = share * list.scrollHeight; return {FRAMES}; }}",
                share,
            )
            page.wait_for_timeout(500)
        results["longest_task_ms"] = max(page.evaluate("() => window.longTasks"), default=0)
        results["rows_on_page"] = page.evaluate("() => document.querySelectorAll('.case').length")
        browser.close()
    return results


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--no-page", action="store_true")
    arguments = parser.parse_args()
    print(json.dumps(open_worklist(arguments.source, not arguments.no_page)))


if __name__ == "__main__":
    main()
