"""What the tests need from the system: a Chromium, the programs of a PostgreSQL server, and on Linux a PACS.

    python tests/provide.py

Takes what is installed; else Debian's packages, where this user may install them; else, for the browser, Playwright's
own. Ends with 1 and one line where nothing of it works, so that no test is left out silently.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The path of an installed Chromium; DENTASAM_CHROMIUM names another one."""
    named = os.environ.get("DENTASAM_CHROMIUM")
    return named or next((path for path in map(shutil.which, BROWSERS) if path), None) or _playwrights_own()


def postgres_programs() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest where there are several."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def orthanc() -> tuple[Path, Path] | None:
    """The program Orthanc, a PACS, and its DICOMweb plugin."""
    program = next((path for path in map(shutil.which, ("Orthanc", "/usr/sbin/Orthanc")) if path), None)
    plugins = sorted(Path("/usr").glob("*/orthanc/plugins/libOrthancDicomWeb.so*"))
    return (Path(program), plugins[0]) if program and plugins else None


def provide() -> str | None:
    """Install what is missing; a line that says what could not be had, or None.

    The tests of the PACS are skipped where there is no Orthanc: they also need network namespaces, as Linux has them.
    """
    wanted = {"chromium": chromium(), "postgresql": postgres_programs(), "orthanc orthanc-dicomweb": orthanc()}
    missing = [package for packages, found in wanted.items() if found is None for package in packages.split()]
    if missing:
        _apt(missing)
    if chromium() is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    if chromium() is None:
        return "the browser tests need Chromium: install it, or name one in DENTASAM_CHROMIUM"
    if postgres_programs() is None:
        return "the tests of the store need PostgreSQL's server programs: install postgresql"
    return None


def _apt(packages: list[str]) -> None:
    apt = shutil.which("apt-get")
    if apt is None:
        return
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if root and shutil.which("sudo") is None:
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    systemctl = shutil.which("systemctl")
    if "orthanc" in packages and systemctl is not None:
        # Debian would start it as a service, which listens on every address; the tests start their own.
        subprocess.run([*root, systemctl, "--quiet", "mask", "orthanc.service"], capture_output=True, check=False)
    for command in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *packages]):
        subprocess.run([*root, apt, *command], env=environment, stdout=subprocess.DEVNULL, check=False)


def _playwrights_own() -> str | None:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


if __name__ == "__main__":
    problem = provide()
    if problem:
        sys.exit(problem)
