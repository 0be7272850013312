"""The pages are one file, say what was measured, and never let a name of the data become markup."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.data.images.pictures import displayable
from dentasam.evaluation.bootstrap import Intervals
from dentasam.evaluation.comparison.compare import compare
from dentasam.evaluation.evaluate import evaluate
from dentasam.evaluation.figures import Curve, click_curves, to_png, to_svg
from dentasam.evaluation.overlays import close_up, close_up_box
from dentasam.evaluation.report import shown_clicks
from dentasam.evaluation.result import ObjectResult

SCRIPT = "<script>alert(1)<script>"
IMAGE = "<img src=x onerror=alert(2)>"


class Elements(HTMLParser):
    """Every element of a page, with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def assert_harmless(page: str) -> None:
    elements = Elements(page).found
    assert not {tag for tag, _ in elements} & {"script", "iframe", "object", "link", "base", "form"}
    for tag, attributes in elements:
        assert not any(name.startswith("on") for name in attributes)
        if tag == "img":
            assert (attributes["src"] or "").startswith("data:image/jpeg;base64,")
    assert "alert(1)" in page  # the name is there, as text
    assert not re.search(r"(src|href)=\"https?:", page.replace("http://www.w3.org", ""))


@pytest.fixture
def hostile(bench: Any, tmp_path: Path) -> Any:
    return bench.dataset(
        tmp_path / "data", images=7, category=(IMAGE, SCRIPT, "11"), tags=(('"><b>blurred', SCRIPT),),
        name=SCRIPT + "-{}.png",
    )  # fmt: skip


def test_names_are_escaped_in_the_pages_of_a_run_and_of_a_comparison(
    bench: Any, hostile: Any, tmp_path: Path
) -> None:
    folders = [tmp_path / "base", tmp_path / "adapted"]
    for folder, steps, adapter in zip(folders, (4, 2), (None, f"{SCRIPT} $x_{{$ &"), strict=True):
        segmenter = bench.segmenter(hostile, bench.grown(steps), name=IMAGE, adapter=adapter)
        evaluate(segmenter, hostile, clicks=3, out=folder)
    compare(folders, tmp_path / "out", resamples=100)
    assert_harmless((tmp_path / "base" / "report.html").read_text())
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert_harmless(page)
    assert "Side by side" in page
    assert "gained most" in page
    assert "<script" not in (tmp_path / "out" / "comparison.md").read_text()


def test_the_report_shows_the_measured_numbers_and_the_worst_cases(bench: Any, dataset: Any, tmp_path: Path) -> None:
    result = evaluate(bench.segmenter(dataset, bench.grown(6)), dataset, clicks=4, out=tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    metrics = result.metrics()
    for value in metrics["dice_at_clicks"]:
        assert f"{value:.3f}" in page
    assert page.count("<svg") == 3
    assert sum(tag == "img" for tag, _ in Elements(page).found) == 3 * 16
    assert "blurred" in page
    assert "incisor" in page
    worst = min(result.objects, key=lambda item: (item.dice[-1], item.object_id))
    assert page.index(f"</b> of {worst.image}") == page.index("</b> of ")


def test_plots_follow_the_pages_theme_and_keep_names_as_text() -> None:
    mean = np.array([0.7, 0.8, 0.9])
    curve = Curve("a $ <b> _{", Intervals(mean, mean - 0.02, mean + 0.02))
    figure = click_curves([curve, Curve("_hidden", Intervals(mean, mean * np.nan, mean * np.nan))])
    svg = to_svg(figure)
    assert "var(--series-0, #0072b2)" in svg
    assert "var(--ink" in svg
    assert "a $ &lt;b&gt; _{" in svg
    assert "_hidden" in svg
    assert to_png(figure).startswith(b"\x89PNG")


def test_sixteen_bits_are_shown_over_their_own_range() -> None:
    image = np.linspace(1000, 3000, 10_000).astype(np.uint16).reshape(100, 100)
    shown = displayable(image)
    assert shown.dtype == np.uint8
    assert (int(shown.min()), int(shown.max())) == (0, 255)
    assert (np.diff(shown.ravel().astype(int)) >= 0).all()  # no wrap
    assert (displayable(np.full((4, 4), 7, np.uint16)) == 0).all()


@pytest.mark.parametrize("corner", [(0, 0), (0, 60), (90, 0), (90, 60), (40, 30)])
def test_close_ups_stay_inside_the_image_and_show_the_object(corner: tuple[int, int]) -> None:
    truth = np.zeros((64, 96), bool)
    x, y = corner
    truth[y : y + 4, x : x + 6] = True
    item = ObjectResult(1, "a", 1, "11", (), 24, (0.5,), (0.4,), 1.0, 1.0, ((float(x), float(y)),), (1,))
    left, top, right, bottom = close_up_box(truth, item)
    assert 0 <= left <= x < x + 6 <= right <= 96
    assert 0 <= top <= y < y + 4 <= bottom <= 64
    assert right - left == bottom - top
    picture = close_up(np.zeros((64, 96), np.uint8), (left, top, right, bottom), [(truth, (0, 0, 255))], item)
    assert picture.shape == (320, 320, 3)
    assert (picture == (0, 0, 255)).all(axis=2).any()


def test_tables_show_some_clicks_and_always_the_last() -> None:
    assert shown_clicks(11) == [1, 2, 3, 5, 8, 11]
    assert shown_clicks(1) == [1]
    assert shown_clicks(3) == [1, 2, 3]


def test_characters_that_nobody_sees_are_shown(bench: Any, tmp_path: Path) -> None:
    data = bench.dataset(tmp_path / "data", images=1, category=("\u202e11\x9b", "12", "13"), tags=(("a\u2066b",),))
    evaluate(bench.segmenter(data, bench.grown(4), name="m\u200f"), data, clicks=2, out=tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert not re.search("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", page)
    assert r"\u202e11\u009b" in page
    assert r"m\u200f" in page
