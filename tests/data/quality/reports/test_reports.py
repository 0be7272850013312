"""The page and the JSON: everything is in them, names are escaped, and a large dataset gives a small page."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dentasam.data.coco.problem import Problem
from dentasam.data.quality.check import Check, check_datasets
from dentasam.data.quality.reports import html_report as page
from dentasam.data.quality.reports.disagreement import Disagreement
from dentasam.data.quality.reports.html_report import html_report, worst_images, write_html_report
from dentasam.data.quality.reports.json_report import json_report, write_json_report
from dentasam.data.record import ImageRecord
from dentasam.errors import OutputError

from ..phantom_set import kinds, write_set

EVIL = "<script>alert(1)</script>&"


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Three images; in the second two numbers are exchanged and one mask is there twice."""

    def spoiled(record: ImageRecord) -> ImageRecord:
        if record.id != 2:
            return record
        first, second, *others = record.objects
        exchanged = replace(first, category=second.category), replace(second, category=first.category)
        return replace(record, objects=(*exchanged, *others, replace(others[0], id=9999)))

    return check_datasets([write_set(tmp_path_factory.mktemp("set"), "set", [1, 2, 3], change_record=spoiled)])


def disagreements(check: Check) -> list[Disagreement]:
    (path,) = check.problems
    record = check.images[0].record
    return [
        Disagreement(path, record.id, record.file_name, item.id, item.category, (0.1 * n, 0.05 * n))
        for n, item in enumerate(record.objects)
    ]


def test_the_json_has_everything(check: Check, tmp_path: Path) -> None:
    (path,) = check.problems
    write_json_report(tmp_path / "out.json", check, disagreements(check))
    read = json.loads((tmp_path / "out.json").read_text(), parse_constant=pytest.fail)
    assert read == json.loads(json.dumps(json_report(check, disagreements(check))))
    assert (read["images"], read["errors"]) == (3, 0)
    assert read["warnings"] == len(read["problems"]) == len(check.problems[path])
    assert [(each["image"], each["kind"]) for each in read["problems"]] == kinds(path)
    assert {each["kind"] for each in read["problems"]} >= {"number-order", "number-twice", "same-mask"}
    assert [each["image"] for each in read["measured"]] == [1, 2, 3]
    assert 0.5 < read["measured"][0]["measures"]["sharpness"] < 0.8
    assert read["disagreements"][1]["dice_at_clicks"] == [0.1, 0.05]


def test_the_page_is_one_sound_file_with_pictures(check: Check, tmp_path: Path) -> None:
    write_html_report(tmp_path / "out.html", check, disagreements(check))
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert set(re.findall(r'src="([^"]{22})', text)) == {"data:image/jpeg;base64"}
    assert text.count("<img") == len(worst_images(check)) + page.MAX_CLOSE_UPS
    assert "annotation 9999: its mask (" in text
    opened: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attributes: object) -> None:
            if tag not in ("meta", "img", "br"):
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Parser().feed(text)
    assert opened == []


def test_names_are_escaped(check: Check) -> None:
    (path,) = check.problems
    found = [replace(problem, what=f"{EVIL} {problem.what}", fix=EVIL) for problem in check.problems[path]]
    images = tuple(
        replace(image, record=replace(image.record, file_name=EVIL), tags=(EVIL,), dataset=Path(EVIL))
        for image in check.images
    )
    ranked = [replace(item, category=EVIL, file_name=EVIL, dataset=Path(EVIL)) for item in disagreements(check)]
    text = html_report(Check({Path(EVIL): found}, images, 1), ranked)
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;&amp;") > 20


def test_worst_first_and_not_too_many(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = check.problems
    leak = Problem(3, None, "is in both", "keep one")
    untagged = tuple(replace(image, tags=()) for image in check.images)
    spoiled = replace(check, images=untagged, problems={path: [*check.problems[path], leak]})
    tagged = replace(spoiled, images=tuple(replace(image, tags=("blurred",)) for image in spoiled.images))
    assert [image.record.id for image, _ in worst_images(spoiled)] == [3, 2]
    assert [image.record.id for image, _ in worst_images(tagged)] == [3, 2, 1]
    monkeypatch.setattr(page, "MAX_PICTURES", 2)
    monkeypatch.setattr(page, "MAX_ROWS", 1)
    text = html_report(tagged)
    assert text.count("<img") == 2
    assert "The first 2 of 3 images with a problem or a suggested tag are shown." in text
    assert f"The first 1 of {len(spoiled.problems[path])}; the JSON has all." in text
    # Of the list of all problems, the one row that is left is the error.
    assert "error: is in both" in text[text.index("All problems") :]


def test_a_report_that_cannot_be_written(check: Check, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out\.html cannot be written"):
        write_html_report(tmp_path / "none" / "out.html", check)


def test_an_empty_check_has_a_page_too(tmp_path: Path) -> None:
    problem = Problem(None, None, "does not exist", "check the path")
    text = html_report(Check({tmp_path: [problem]}, (), 0))
    assert "error: does not exist" in text
