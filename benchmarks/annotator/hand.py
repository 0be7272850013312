"""The annotator's hand and eye at the real page: pointer, keys, and what the page shows. Every act is paid for."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, ViewportSize

from dentasam.prompts.correction_clicks import interior_centre

from .judgement import Click
from .keystroke_times import M, Spent, keys_in
from .strokes import Stroke, brush_steps

ANNOTATOR = "simulated"
VIEWPORT: ViewportSize = {"width": 1920, "height": 1080}
OPENING_MS = 180_000
ANSWER_MS = 30_000
OFFER_MS = 5_000
# The tour is for newcomers.
INTRODUCED = f"""
    try {{
        const key = "dentasam/preferences/{ANNOTATOR}";
        if (!localStorage.getItem(key)) localStorage.setItem(key, '{{"introduced": true}}');
    }} catch {{}}
"""
# Masks as they are drawn, and the numbers beside them.
SEEN = """() => dentasam.editor.objects.map((object) => {
    const { id, category, accepted, source } = object;
    const { x, y, width, height, bits } = object.mask.snapshot();
    let text = "";
    for (let start = 0; start < bits.length; start += 8192)
        text += String.fromCharCode(...bits.subarray(start, start + 8192));
    return { id, category, accepted, source, x, y, width, height, bits: btoa(text) };
})"""
# A timer and not Playwright's own wait, which the page's content policy forbids.
UNTIL = """([condition, patience]) => new Promise((resolve) => {
    const { editor } = dentasam, start = performance.now();
    const conditions = {
        begun: () => editor.active === null || editor.active.area > 0,
        answered: () => editor.activeId !== window.before.id
            || editor.active.prompts.clicks.length !== window.before.clicks,
        refined: () => editor.active?.uncorrected === null,
    };
    const look = () => {
        const asked = document.querySelector("[data-testid=click-question]") !== null;
        const late = performance.now() - start > patience;
        if (conditions[condition]() || asked || late) dentasam.stage.drawn().then(() => resolve(!late));
        else setTimeout(look, 5);
    };
    look();
})"""
OFFERED = """(patience) => new Promise((resolve) => {
    const start = performance.now();
    const look = () => {
        const offer = document.querySelector("[data-testid=offers] [data-testid^=offer-]");
        if (offer || performance.now() - start > patience) resolve(offer?.dataset.testid.slice(6) ?? null);
        else setTimeout(look, 10);
    };
    look();
})"""


@dataclass(frozen=True)
class Seen:
    """An object as the page shows it. mask: (H, W) bool. proposed: the model made it, with no click."""

    id: str
    number: str | None
    accepted: bool
    proposed: bool
    mask: np.ndarray


class Hand:
    """Works a page with an open case."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.spent = Spent()
        self.tool = "click"
        self.unanswered = 0

    def see(self) -> dict[str, Seen]:
        """All objects by id."""
        height, width = self.page.evaluate("() => [dentasam.editor.height, dentasam.editor.width]")
        found = {}
        for state in self.page.evaluate(SEEN):
            mask = np.zeros((height, width), bool)
            x, y, columns, rows = (state[key] for key in ("x", "y", "width", "height"))
            bits = np.frombuffer(base64.b64decode(state["bits"]), np.uint8).reshape(rows, columns)
            mask[y : y + rows, x : x + columns] = bits > 0
            proposed = state["source"] == "proposal"
            found[state["id"]] = Seen(state["id"], state["category"], state["accepted"], proposed, mask)
        return found

    @property
    def active(self) -> str | None:
        found: str | None = self.page.evaluate("() => dentasam.editor.activeId")
        return found

    def offered(self) -> str | None:
        """The number that the page offers for the active object; it comes while the outline is looked at."""
        started = time.perf_counter()
        number: str | None = self.page.evaluate(OFFERED, OFFER_MS)
        self.spent.wait(max(0.0, time.perf_counter() - started - M))
        return number

    def asked_about_shift(self) -> bool:
        """Whether the page asks before it shifts a run of numbers."""
        return self.page.get_by_test_id("shift-dialog").is_visible()

    def press(self, *shortcuts: str) -> None:
        for shortcut in shortcuts:
            self.spent.keys(keys_in(shortcut))
            self.page.keyboard.press(shortcut)

    def take(self, tool: str) -> None:
        """A tool by its key, where it is not in hand."""
        if self.tool != tool:
            self.press({"click": "c", "brush": "b", "eraser": "e"}[tool])
            self.tool = tool

    def begin(self, keep_tool: bool = False) -> None:
        """The next click or stroke begins an object."""
        self.press("Shift+N" if keep_tool else "n")
        self.tool = self.tool if keep_tool else "click"

    def first_click(self, x: float, y: float) -> bool:
        """Clicks for a new object and waits for its mask; False where the page shows none."""
        self._click(x, y, True)
        self._wait("begun")
        return self.active is not None

    def correct(self, click: Click) -> bool:
        """Clicks for the active object and waits for its mask; False where another object has become active."""
        self.page.evaluate(
            """() => {
                const { activeId: id, active } = dentasam.editor;
                window.before = { id, clicks: active.prompts.clicks.length };
            }"""
        )
        before = self.active
        self._click(click.x + 0.5, click.y + 0.5, click.positive)
        self._wait("answered")
        if self.page.get_by_test_id("click-question").is_visible():
            # For this object, yes.
            self.press("Enter")
            self._wait("answered")
        return self.active == before

    def choose(self, seen: Seen) -> None:
        """Clicks on the middle of an object, by which it becomes active."""
        x, y = interior_centre(seen.mask[None])[0]
        self.take("click")
        self.spent.click()
        self.page.mouse.click(*self._place(float(x) + 0.5, float(y) + 0.5))

    def paint(self, stroke: Stroke) -> None:
        """Takes the tool, sets the size of the brush and draws."""
        self.take(stroke.tool)
        steps, _ = brush_steps(self.brush, stroke.size)
        self.press(*["]" if steps > 0 else "["] * abs(steps))
        self.spent.acts += 1
        self.spent.stroke(stroke.seconds)
        places = [self._place(*point) for point in stroke.path]
        mouse = self.page.mouse
        mouse.move(*places[0])
        mouse.down()
        for place in places[1:]:
            mouse.move(*place)
        mouse.up()
        if stroke.fills:
            self.press("g")

    def refined(self) -> None:
        """Waits for the refinement that follows a stroke."""
        self._wait("refined")

    @property
    def brush(self) -> int:
        """The brush's diameter in pixels of the image."""
        return int(self.page.get_by_test_id("brush-size").input_value())

    def _click(self, x: float, y: float, positive: bool) -> None:
        self.take("click")
        self.spent.acts += 1
        self.spent.click()
        self.page.mouse.click(*self._place(x, y), button="left" if positive else "right")

    def _wait(self, condition: str) -> None:
        started = time.perf_counter()
        if self.page.evaluate(UNTIL, [condition, ANSWER_MS]):
            self.spent.wait(time.perf_counter() - started)
        else:
            self.unanswered += 1

    def _place(self, x: float, y: float) -> tuple[int, int]:
        """The place of the page, in whole CSS pixels, that is nearest to an image point."""
        left, top = self.page.evaluate(
            """([x, y]) => {
                const { host, view } = dentasam.stage, { left, top } = host.getBoundingClientRect();
                const [across, down] = view.toScreen(x, y);
                return [left + host.clientLeft + across, top + host.clientTop + down];
            }""",
            [x, y],
        )
        return round(left), round(top)


@contextmanager
def opened(browser: Browser, url: str, case: int, proposals: bool = False) -> Iterator[Hand]:
    """A hand at a page of its own, with the case open; `proposals`: once the model's are there.

    Raises TimeoutError where the case, or its proposals, do not come.
    """
    context = browser.new_context(viewport=VIEWPORT)
    context.add_init_script(INTRODUCED)
    page = context.new_page()
    page.set_default_timeout(OPENING_MS)
    try:
        page.goto(f"{url}#case={case}", wait_until="commit")
        shown: Any = page.evaluate(
            """([proposals, patience]) => new Promise((resolve) => {
                const start = performance.now();
                const look = () => {
                    const open = window.dentasam?.editor && dentasam.stage?.image;
                    if (open && (!proposals || dentasam.editor.objects.length > 0))
                        dentasam.stage.drawn().then(() => resolve(true));
                    else if (performance.now() - start > patience) resolve(false);
                    else setTimeout(look, 20);
                };
                look();
            })""",
            [proposals, OPENING_MS],
        )
        if not shown:
            raise TimeoutError(f"case {case}: {'its proposals' if proposals else 'it'} did not come")
        page.get_by_test_id("stage").focus()
        yield Hand(page)
    finally:
        context.close()
