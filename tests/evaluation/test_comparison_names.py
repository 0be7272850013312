"""Names from outside are text in comparison.md: nothing in them is a link, a picture, code or HTML."""

from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from dentasam.evaluation.comparison.comparison import compare_results
from dentasam.evaluation.comparison.markdown import as_text
from dentasam.evaluation.comparison.table import comparison_table
from dentasam.evaluation.evaluate import evaluate

NAMES = [
    "![x](http://evil.test/p.png)", "[x](javascript:alert(1))", "[x][y]", "[x]: http://evil.test", "<b>x</b>", "<!--",
    "<http://evil.test>", "`code`", "``a", "**a**", "_a_ __b__", "~~a~~", "# a", "a|b", "a\\|b", "\\", "&lt;i&gt;",
    "&#60;i&#62;", "$x$", ":smile:", "{{7*7}}", "{% x %}", "- a", "+ a", "1. a", "1) a", "---", "> a", "![", "^[a]",
    "http://evil.test", "www.evil.test", "==a==",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("in_table", [False, True])
def test_a_name_is_shown_as_it_is(name: str, in_table: bool) -> None:
    text = as_text(name)
    rows = ["| h | i |", "| --- | ---: |", f"| {text} | 1 |"]
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render("\n".join(rows) if in_table else text)
    before, after = ("<tbody>\n<tr>\n<td>", "</td>") if in_table else ("<p>", "</p>")
    cell = page.split(before, 1)[1].split(after)[0] if before in page else page
    assert "<" not in cell
    assert unescape(cell) == name


def test_addresses_and_templates_of_site_generators_are_broken_up() -> None:
    assert as_text("http://a.test www.a.test") == "http\\://a.test www\\.a.test"
    assert "{" not in as_text("{{ x }} {% y %}")


def test_what_nobody_sees_is_a_code() -> None:
    assert as_text("t\u202eag\u2060\nb") == "t\\\\u202eag\\\\u2060\\\\nb"


def test_usual_names_stay_readable() -> None:
    assert as_text("dentasam-tiny + panoramic-teeth (runs/a.1)") == "dentasam-tiny + panoramic-teeth \\(runs/a.1\\)"


def test_comparison_md_holds_no_live_name(bench: Any, tmp_path: Path) -> None:
    link, picture = "[x](javascript:alert(3))", "![x](http://evil.test/p.png)"
    tags = (picture, link, "t\u202eag", "<script>alert(2)</script>", "a|b")
    dataset = bench.dataset(tmp_path / "data", images=2, tags=(tags,))
    base = evaluate(bench.segmenter(dataset, bench.grown(2)), dataset, clicks=2)
    other = replace(base, adapter="[a](b)\u202e")
    text = comparison_table(compare_results([Path("a"), Path("b")], [base, other], resamples=10))
    page = MarkdownIt("commonmark").enable("table").render(text)
    assert "\u202e" not in text
    assert [part for part in ("<a ", "<img", "<script") if part in page] == []
    for tag in (picture, link, "t\\u202eag", "a|b"):
        assert f"<td>{tag}</td>" in page
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in page
