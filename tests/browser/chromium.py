"""How the tests start Chromium: quiet, with WebGL2 by software where there is no graphics card."""

import runpy
from pathlib import Path

FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


def path_of_chromium() -> str:
    """As tests/provide.py finds it; an error where there is none, for a browser test is never left out."""
    found: str | None = runpy.run_path(str(Path(__file__).parent.parent / "provide.py"))["chromium"]()
    assert found, "no Chromium; python tests/provide.py installs one"
    return found
