"""The labelling server, from a request to its masks, as `label_latency.py` measures it.

That file is run as it is, in a process of its own. What a person sees in the browser, `label_page.py` measures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from .options import Options
from .report import Report

LATENCY = Path(__file__).parent / "label_latency.py"


def run(options: Options) -> Report:
    """The whole benchmark. Raises RuntimeError with its last words where the file fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        command = [sys.executable, str(LATENCY), "--json", str(path)]
        command += ["--clicks", "3", "--objects", "4"] if options.quick else []
        with options.note("the labelling server"):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not path.exists():
            words = (done.stderr or done.stdout).strip().splitlines()
            raise RuntimeError(f"{LATENCY.name}: {words[-1] if words else f'left with {done.returncode}'}")
        found = json.loads(path.read_text())
    report = options.report("From a request to its masks", what=found["work"])
    report.rows, report.ratios = found["rows"], found["ratios"]
    return report
