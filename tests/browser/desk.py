"""One page with one open case, and the hand that works on it.

Places are either image points (x, y; pixel i covers i to i + 1) or places of the page (CSS pixels from its corner).
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, expect

from .serving import Server

PATIENCE = 90_000  # ms; on an idle machine nothing takes a hundredth of it
Place = tuple[float, float]

OBJECTS = """() => dentasam.editor.objects.map((object) => {
    const { id, category, parent, locked, accepted, hidden, area, score, prompts, source } = object;
    const bits = (mask) => {
        const { x, y, width, height, bits } = mask.snapshot();
        return { x, y, width, height, bits: bits.join("") };
    };
    const { mask, painted, erased } = object;
    return { id, category, parent, locked, accepted, hidden, area, score, prompts, source,
             mask: bits(mask), painted: bits(painted), erased: bits(erased) };
})"""


@dataclass
class Watch:
    """Everything a browser says that a healthy page would not: errors, and requests to other machines."""

    allowed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.errors.append(f"uncaught: {error.error}"))
        context.on("request", self._request)

    def allow(self, pattern: str) -> None:
        """An error that the test brings about itself."""
        self.allowed.append(pattern)

    @property
    def unexpected(self) -> list[str]:
        return [error for error in self.errors if not any(re.search(pattern, error) for pattern in self.allowed)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            self.errors.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.errors.append(f"a request left the machine: {request.url}")


# Keeps the last keys and the cases that were shown, for the message of a wait in vain.
TRAIL = """
window.trail = [];
addEventListener("keydown", (event) => window.trail.push(event.key + (event.repeat ? " again" : "")), true);
const replaceState = history.replaceState.bind(history);
history.replaceState = (...given) => {
    window.trail.push(given[2]);
    replaceState(...given);
};
"""


class Desk:
    """A page that shows a case."""

    def __init__(self, page: Page, server: Server, case: int) -> None:
        self.page, self.server, self.case = page, server, case
        self.stage = page.get_by_test_id("stage")

    def open(self) -> "Desk":
        self.page.add_init_script(TRAIL)
        self.page.goto(f"{self.server.url}#case={self.case}", wait_until="commit")
        self.shown()
        return self

    def shown(self, case: int | None = None) -> None:
        """Waits until a case is on the screen, and drawn."""
        if case is not None:
            self.case = case
        self.until(f"window.dentasam?.editor && dentasam.stage?.image && location.hash === '#case={self.case}'")
        self.page.evaluate("() => dentasam.stage.drawn()")

    def until(self, condition: str) -> Any:
        """Waits for a condition in the page (an expression of JavaScript); its value.

        The page's content policy forbids what Playwright's own wait_for_function does in it.
        """
        return self.page.evaluate(
            f"""(patience) => new Promise((resolve, reject) => {{
                const start = performance.now();
                const look = () => {{
                    const value = (() => {condition})();
                    if (value) resolve(value === true ? true : null);
                    else if (performance.now() - start > patience) {{
                        const at = location.href.split("#")[1], status = window.dentasam?.editor?.status;
                        const said = document.querySelector("[data-testid=toasts]")?.textContent;
                        const asked = document.querySelector("dialog[open]")?.textContent;
                        const focused = document.activeElement?.outerHTML.slice(0, 200);
                        const trail = (window.trail ?? []).slice(-20);
                        const state = JSON.stringify({{ at, status, said, asked, focused, trail }});
                        reject(new Error("waited in vain: " + state));
                    }}
                    else setTimeout(look, 10);
                }};
                look();
            }})""",
            PATIENCE,
        )

    def saved(self) -> None:
        """Waits until the server has everything, and the page says so."""
        self.until("dentasam.sync.status().pending === 0 && dentasam.sync.status().state === 'saved'")
        expect(self.page.get_by_test_id("save-state")).to_have_attribute("data-state", "saved", timeout=PATIENCE)

    def state(self, state: str) -> None:
        """Waits for the page to show that its work is saved or not, and for the browser to have it on the disk."""
        expect(self.page.get_by_test_id("save-state")).to_have_attribute("data-state", state, timeout=PATIENCE)
        # A stroke is written at once, which takes the browser some milliseconds.
        self.page.evaluate("() => dentasam.sync.written()")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image."""
        height, width = self.page.evaluate("() => [dentasam.editor.height, dentasam.editor.width]")
        return height, width

    def objects(self) -> dict[str, dict[str, Any]]:
        """The page's objects by id, their masks as (H, W) bool."""
        shape = self.shape
        found = {}
        for state in self.page.evaluate(OBJECTS):
            drawn = {part: _whole(state[part], shape) for part in ("mask", "painted", "erased")}
            found[state["id"]] = state | drawn
        return found

    def only(self) -> dict[str, Any]:
        """The one object there is."""
        (found,) = self.objects().values()
        return found

    @property
    def active(self) -> str | None:
        found: str | None = self.page.evaluate("() => dentasam.editor.activeId")
        return found

    def mask(self, id: str | None = None) -> np.ndarray:
        """The mask (H, W) bool of an object, the active one if left out."""
        wanted = id or self.active
        assert wanted is not None
        mask: np.ndarray = self.objects()[wanted]["mask"]
        return mask

    def agrees(self) -> None:
        """Asserts that the server holds the same objects as the page, bit by bit."""
        self.saved()
        here, there = self.objects(), self.server.objects(self.case)
        assert here.keys() == there.keys()
        for id, mine in here.items():
            theirs = there[id]
            for part in ("mask", "painted", "erased"):
                assert np.array_equal(mine[part], theirs[part]), (id, part)
            for fact in ("category", "parent", "locked", "accepted", "source"):
                assert mine[fact] == theirs[fact], (id, fact)

    def view(self) -> dict[str, float]:
        """zoom, x, y of the view, and where the stage lies in the page: left, top."""
        found: dict[str, float] = self.page.evaluate(
            """() => {
                const { zoom, x, y, dpr } = dentasam.stage.view.state();
                const { host } = dentasam.stage;
                const { left, top } = host.getBoundingClientRect();
                return { zoom, x, y, dpr, left: left + host.clientLeft, top: top + host.clientTop };
            }"""
        )
        return found

    def place(self, x: float, y: float) -> tuple[int, int]:
        """The whole place of the page nearest to an image point."""
        view = self.view()
        return (
            round(view["left"] + x * view["zoom"] + view["x"]),
            round(view["top"] + y * view["zoom"] + view["y"]),
        )

    def points(self, places: Sequence[Place]) -> list[Place]:
        """The image points of places of the page."""
        view = self.view()
        return [
            ((x - view["left"] - view["x"]) / view["zoom"], (y - view["top"] - view["y"]) / view["zoom"])
            for x, y in places
        ]

    def click(self, x: float, y: float, *, button: Any = "left") -> Place:
        """Clicks at an image point; the point that was really hit, as the model counts (pixel centres are whole)."""
        place = self.place(x, y)
        self.page.mouse.click(*place, button=button)
        ((hit_x, hit_y),) = self.points([place])
        return hit_x - 0.5, hit_y - 0.5

    def predicted(self, x: float, y: float, *, button: Any = "left") -> Place:
        """Clicks for the model, and waits for its mask."""
        before = self.page.evaluate("() => (dentasam.editor.active?.prompts.clicks.length ?? 0)")
        hit = self.click(x, y, button=button)
        self.until(f"dentasam.editor.active?.prompts.clicks.length === {before + 1}")
        return hit

    def stroke(self, points: Sequence[Place], *, lift: bool = True) -> list[Place]:
        """Draws through image points with the mouse; the points that were really hit."""
        places = [self.place(*point) for point in points]
        mouse = self.page.mouse
        mouse.move(*places[0])
        mouse.down()
        for place in places[1:]:
            mouse.move(*place)
        if lift:
            mouse.up()
        return self.points(places)

    def draw(self, *objects: tuple[str | None, tuple[int, int, int, int], bool]) -> list[str]:
        """Makes objects without the hand: category, the box (x, y, width, height) that it fills, whether accepted."""
        made: list[str] = self.page.evaluate(
            """(objects) => objects.map(([category, [x, y, width, height], accepted]) => {
                const bits = new Uint8Array(width * height).fill(1);
                const id = dentasam.editor.create({ category, mask: { x, y, width, height, bits } });
                if (accepted) dentasam.editor.accept(id, true);
                return id;
            })""",
            objects,
        )
        return made

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def tool(self, key: str, *, size: int | None = None) -> None:
        """Chooses a tool by its key, with the keys at the picture."""
        self.stage.focus()
        self.press(key)
        if size is not None:
            self.page.get_by_test_id("brush-size").fill(str(size))
            self.stage.focus()

    def choose(self, test_id: str) -> None:
        self.page.get_by_test_id(test_id).click()

    def toast(self, text: str) -> None:
        expect(self.page.get_by_test_id("toasts")).to_contain_text(text, timeout=PATIENCE)

    def picture(self) -> np.ndarray:
        """The stage as it shows on the screen, (h, w, 3) uint8 in device pixels, without messages over it."""
        over = "document.querySelectorAll('[data-testid=toasts], .stage-badges, [data-layer=labels]')"
        messages = f"() => {over}.forEach((each) => {{ each.style.visibility = '%s'; }})"
        self.page.evaluate(messages % "hidden")
        self.page.evaluate("() => dentasam.stage.drawn()")
        found = Image.open(io.BytesIO(self.stage.screenshot(timeout=PATIENCE)))
        self.page.evaluate(messages % "")
        return np.asarray(found.convert("RGB"))

    def seen(self, mask: np.ndarray) -> np.ndarray:
        """Which device pixels of `picture` show the inside of a mask (H, W) bool."""
        view = self.view()
        height, width = self.picture().shape[:2]
        scale = view["zoom"] * view["dpr"]
        columns = np.floor((np.arange(width) + 0.5 - view["x"] * view["dpr"]) / scale).astype(int)
        rows = np.floor((np.arange(height) + 0.5 - view["y"] * view["dpr"]) / scale).astype(int)
        inside = ((rows >= 0) & (rows < mask.shape[0]))[:, None] & ((columns >= 0) & (columns < mask.shape[1]))[None]
        there = mask[np.clip(rows, 0, mask.shape[0] - 1)][:, np.clip(columns, 0, mask.shape[1] - 1)]
        found: np.ndarray = inside & there
        return found


Open = Callable[..., Desk]


@contextmanager
def unreachable(context: BrowserContext) -> Iterator[None]:
    """The server does not answer the pages of a context."""
    context.route("**/api/**", lambda route: route.abort("connectionrefused"))
    try:
        yield
    finally:
        context.unroute("**/api/**")


def _whole(mask: dict[str, Any], shape: tuple[int, int]) -> np.ndarray:
    whole = np.zeros(shape, bool)
    x, y, width, height = mask["x"], mask["y"], mask["width"], mask["height"]
    bits = np.frombuffer(mask["bits"].encode("ascii"), np.uint8) == ord("1")
    whole[y : y + height, x : x + width] = bits.reshape(height, width)
    return whole
