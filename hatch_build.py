"""Builds the labelling page into the package while the package itself is built, and puts the benchmarks there.

Needs Node 20 or newer. Without it the package installs all the same, and `dentasam label` says what is missing.
DENTASAM_SKIP_PAGE=1 leaves the page as it is.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = (20, 19)
SOURCES = ("src", "index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")


class PageHook(BuildHookInterface):
    """hatchling's hook; it is called for wheels, plain and editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if self.target_name == "wheel" and version != "editable":
            # A checkout has them beside it; a copy in its environment would grow old.
            build_data["force_include"][str(root / "benchmarks")] = "dentasam/benchmarks"
        page = root / "src" / "dentasam" / "labelling" / "page" / "index.html"
        if self.target_name != "wheel" or os.environ.get("DENTASAM_SKIP_PAGE", "") not in ("", "0"):
            return
        problem = None if is_current(page, [root / "web" / name for name in SOURCES]) else build(root / "web")
        if problem is not None:
            self.app.display_warning(f"the labelling page is not built: {problem}")


def is_current(made: Path, sources: list[Path]) -> bool:
    """Whether a file is there and newer than every file it is made from, in folders all of them."""
    if not made.exists():
        return False
    files = [path for source in sources for path in [source, *source.rglob("*")] if path.is_file()]
    return all(path.stat().st_mtime <= made.stat().st_mtime for path in files)


def build(web: Path) -> str | None:
    """Build the page with npm; a line that says what was in the way, or None."""
    if not (web / "package.json").exists():
        return "its sources (web/) are not here"
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return "Node is not installed; install Node 20 or newer and install dentasam again"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if tuple(int(part) for part in said.lstrip("v").split(".")[:2] if part.isdigit()) < OLDEST_NODE:
        return f"Node is {said}; install Node 20.19 or newer and install dentasam again"
    steps = [[npm, "run", "--silent", "build"]]
    if not is_current(web / "node_modules" / ".package-lock.json", [web / "package-lock.json"]):
        steps.insert(0, [npm, "ci", "--silent", "--no-audit", "--no-fund"])
    for step in steps:
        done = subprocess.run(step, cwd=web, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            return f"`{' '.join(['npm', *step[1:]])}` failed in web/: {lines[-1] if lines else done.returncode}"
    return None


if __name__ == "__main__":
    sys.exit(build(Path(__file__).parent / "web"))
