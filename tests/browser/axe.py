"""What axe-core, the common checker of accessibility, finds on a page."""

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(
    ({ id, nodes }) => [id, ...nodes.map(({ target, html }) => `${target}: ${html.slice(0, 160)}`)])"""


def violations(page: Page) -> list[list[str]]:
    assert AXE.is_file(), "npm ci in web/ installs axe-core"
    page.evaluate(f"() => {{ if (!window.axe) {{ {AXE.read_text()} }} }}")
    found: list[list[str]] = page.evaluate(RUN)
    return found
