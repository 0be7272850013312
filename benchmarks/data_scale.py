"""Whether datasets of 1,000 to 10,000 images of 30 objects take linear time and memory: load, check, split, import,
export, and the labelling worklist.

    python -m benchmarks.data_scale [--sizes 1000 3000 10000] [--objects 30] [--steps load split] [--json FILE]

Every step runs in a process of its own, by the command that a user types, so that its processor time and its peak
memory are its own. The same step on ten images is what starting it takes; it is subtracted before the largest size is
compared with the smallest: `time_ratio` and `memory_ratio` are 10 for sizes of 1,000 and 10,000 where the growth is
linear, and less where a part of it is fixed. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

PYTHON = sys.executable
DENTASAM = (PYTHON, "-m", "dentasam", "data")
FEW = 10
LOAD = "import sys; from dentasam.data.dataset import Dataset; Dataset.load(sys.argv[1])"
STEPS = ("load", "check", "split", "split by patient", "import", "export", "worklist")
# Workspaces that are opened: their name, whether of the COCO file, whether the page is opened too.
WORKSPACES = (("folder, first", False, False), ("folder, again", False, True), ("COCO, first", True, True))


@dataclass(frozen=True)
class Row:
    """One step at one size. seconds: of the processor; wall: on the clock. peak: bytes."""

    step: str
    images: int
    seconds: float
    wall: float
    peak: int


def measured(step: str, images: int, command: Sequence[str]) -> Row:
    """Runs the command to its end. Ends the benchmark where it fails."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(command)} failed: {said.read().decode()[-500:]}")
    seconds = used.ru_utime + used.ru_stime
    return Row(step, images, seconds, time.perf_counter() - started, 1024 * used.ru_maxrss)


def run_step(step: str, images: int, dataset: Path) -> Row:
    """One step on a dataset; what it writes is removed again."""
    out = dataset.parent / "out"
    file = str(dataset)
    command = {
        "load": (PYTHON, "-c", LOAD, file),
        "check": (*DENTASAM, "check", file),
        "split": (*DENTASAM, "split", file, "--overwrite"),
        "split by patient": (*DENTASAM, "split", file, "--overwrite", "--patient-pattern", r"^(\d+)_"),
        "import": (*DENTASAM, "import", file, "--out", str(out)),
        "export": (*DENTASAM, "export", file, "--out", str(out)),
    }[step]
    try:
        return measured(step, images, command)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def open_workspaces(images: int, dataset: Path, page: bool) -> list[dict[str, Any]]:
    """The workspaces of the image folder and of the COCO file."""
    found = []
    for name, coco, with_page in WORKSPACES:
        source = dataset if coco else dataset.parent / "images"
        command = [PYTHON, "-m", "benchmarks.large_worklist", str(source)]
        command += [] if page and with_page else ["--no-page"]
        answer = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        found.append({"workspace": name, "images": images, **json.loads(answer)})
    for made in (dataset.with_name("dataset.dentasam"), dataset.parent / "images" / ".dentasam"):
        shutil.rmtree(made, ignore_errors=True)
    return found


def ratios(rows: Sequence[Row]) -> dict[str, float]:
    """For each step, how much more the largest size takes than the smallest, without what ten images take."""
    found: dict[str, float] = {}
    for step in dict.fromkeys(row.step for row in rows):
        few, *sizes = sorted((row for row in rows if row.step == step), key=lambda row: row.images)
        if len(sizes) < 2:
            continue
        small, large = sizes[0], sizes[-1]
        for name in ("seconds", "peak"):
            base = getattr(few, name)
            grown = getattr(large, name) - base, getattr(small, name) - base
            # Sizes that a few images are hardly smaller than say nothing.
            if grown[1] > 0.1 * base:
                found[f"{step}, {'time' if name == 'seconds' else 'memory'}_ratio"] = grown[0] / grown[1]
    return found


def table(rows: Sequence[Row]) -> Table:
    shown = Table(title="Processor seconds and peak memory of a command")
    for heading in ("step", "images", "CPU, s", "wall, s", "peak, MB"):
        shown.add_column(heading, justify="left" if heading == "step" else "right")
    for row in rows:
        shown.add_row(row.step, f"{row.images:,}", f"{row.seconds:.1f}", f"{row.wall:.1f}", f"{row.peak / 1e6:,.0f}")
    return shown


def worklist_table(opened: Sequence[dict[str, Any]]) -> Table:
    shown = Table(title="Opening a labelling workspace")
    columns = {
        "workspace": "",
        "images": "",
        "address_seconds": "address, s",
        "address_cpu_seconds": "its CPU, s",
        "cases_seconds": "list, s",
        "cases_bytes": "list, bytes",
        "peak_bytes": "peak, bytes",
        "rows_seconds": "page shows rows, s",
        "search_seconds": "search, s",
        "longest_task_ms": "longest task, ms",
        "rows_on_page": "rows on the page",
    }
    for key, heading in columns.items():
        shown.add_column(heading or key, justify="left" if key == "workspace" else "right")
    for row in opened:
        cells = (row.get(key, "") for key in columns)
        shown.add_row(*(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 3000, 10000])
    parser.add_argument("--objects", type=int, default=30)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    parser.add_argument("--no-page", action="store_true", help="Open worklists at the API alone, without a browser.")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    announce = Console(stderr=True).print
    rows: list[Row] = []
    opened: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for images in (FEW, *sorted(arguments.sizes)):
            folder = Path(scratch) / str(images)
            announce(f"making {images} images with {images * arguments.objects} objects")
            maker = (PYTHON, "-m", "benchmarks.large_dataset", str(folder), str(images), str(arguments.objects))
            subprocess.run(maker, check=True, stdout=subprocess.DEVNULL)
            for step in arguments.steps:
                if step == "worklist" and images == FEW:
                    continue
                announce(f"{step}, {images} images")
                if step == "worklist":
                    opened += open_workspaces(images, folder / "dataset.json", not arguments.no_page)
                else:
                    rows.append(run_step(step, images, folder / "dataset.json"))
            shutil.rmtree(folder)
    console = Console(width=180)
    found = ratios(rows)
    if rows:
        console.print(table(rows))
    if opened:
        console.print(worklist_table(opened))
    for name, value in found.items():
        console.print(f"{name}  x{value:.2f}", highlight=False)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"
    console.print(machine)
    if arguments.json is not None:
        content = {"machine": machine, "rows": [asdict(row) for row in rows], "worklists": opened, "ratios": found}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
