"""Filters and pages of a search, on a server whose answers are chosen."""

from collections.abc import Callable
from typing import Any

import pytest

from dentasam.data.pacs import query
from dentasam.data.pacs.connection import Connection, connect
from dentasam.data.pacs.filters import parse_filters
from dentasam.data.pacs.query import find_images
from dentasam.errors import PacsError

from .fake_server import Answer, Request, found, json_answer, serving


def pages(entries: list[dict[str, Any]], cap: int = 10_000) -> Callable[[Request], Answer]:
    """Answers a search with the entries from `offset` on, at most `cap` in a page."""

    def answer(request: Request) -> Answer:
        offset, limit = int(request.query["offset"][0]), int(request.query["limit"][0])
        page = entries[offset : offset + min(limit, cap)]
        return json_answer(page) if page else Answer(204)

    return answer


def search(url: str, *filters: str, limit: int = 1000) -> tuple[list[str], list[str]]:
    lines: list[str] = []
    images = find_images(connection(url), parse_filters(filters), limit, lines.append)
    return [image.uid for image in images], lines


def connection(url: str) -> Connection:
    return connect(url, environment={})


def test_filters_are_keywords_or_tags() -> None:
    assert parse_filters(["Modality=PX", "00100020 = A=1"]) == {"00080060": "PX", "00100020": "A=1"}


@pytest.mark.parametrize("given", ["Modality", "=PX", "Modality=", "Modalty=PX", "0008006=PX", "PatientID=a\nb"])
def test_other_filters_are_refused(given: str) -> None:
    with pytest.raises(PacsError, match="--filter"):
        parse_filters([given])


def test_a_filter_is_given_once() -> None:
    with pytest.raises(PacsError, match="given twice"):
        parse_filters(["Modality=PX", "00080060=IO"])


def test_all_pages_are_read_also_where_the_server_cuts_them() -> None:
    uids = [f"1.2.3.{number}" for number in range(25)]
    with serving(pages([found(uid) for uid in uids], cap=7)) as fake:
        assert search(fake.url) == (uids, [])
    assert [request.query["offset"][0] for request in fake.requests] == ["0", "7", "14", "21", "25"]


def test_a_server_that_repeats_its_page_is_left_after_the_second() -> None:
    with serving(lambda _: json_answer([found("1.2.3.1"), found("1.2.3.2")])) as fake:
        assert search(fake.url) == (["1.2.3.1", "1.2.3.2"], [])
    assert len(fake.requests) == 2


def test_a_server_that_invents_pages_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "MAX_LISTED", 30)

    def answer(request: Request) -> Answer:
        offset = int(request.query["offset"][0])
        return json_answer([found(f"1.2.{offset + number}", _00080060="CT") for number in range(10)])

    with serving(answer) as fake, pytest.raises(PacsError, match="over 30 instances"):
        search(fake.url)


def test_the_limit_ends_the_search_and_is_reported() -> None:
    with serving(pages([found(f"1.2.3.{number}") for number in range(9)])) as fake:
        uids, lines = search(fake.url, limit=4)
    assert uids == ["1.2.3.0", "1.2.3.1", "1.2.3.2", "1.2.3.3"]
    assert lines == ["over 4 images match; the first 4 are taken: narrow --filter, or raise --limit"]


def test_a_limit_that_is_just_met_is_not_reported() -> None:
    with serving(pages([found("1.2.3.0"), found("1.2.3.1")])) as fake:
        assert search(fake.url, limit=2) == (["1.2.3.0", "1.2.3.1"], [])


def test_only_radiographs_of_one_frame_are_taken() -> None:
    entries = [
        found("1.2.3.1"),
        found("1.2.3.2", _00080060="SEG", _00280008=32),
        found("1.2.3.3", _00080060="CT"),
        found("1.2.3.4", _00080060="IO", _00280008="1"),
        found("1.2.3.5", _00080060="DX", _00280008=3),
        found("1.2.3.6", _00080060=None),
    ]
    with serving(pages(entries)) as fake:
        uids, lines = search(fake.url)
        assert uids == ["1.2.3.1", "1.2.3.4", "1.2.3.6"]
        assert lines == [
            "2 instances are left out: not radiographs (CT 1, SEG 1); --filter Modality=CT takes it",
            "1 instance is left out: several frames",
        ]


def test_a_filter_that_names_a_kind_takes_it() -> None:
    with serving(pages([found("1.2.3.3", _00080060="CT")])) as fake:
        assert search(fake.url, "Modality=CT") == (["1.2.3.3"], [])
    assert fake.requests[0].query["00080060"] == ["CT"]


def test_names_that_are_paths_are_not_uids() -> None:
    hostile = ["../../etc/passwd", "1.2/../../x", "1.2.3\0", "", ".1", "1..2", "1." + "2" * 80, 5, None, ["1.2"]]
    with serving(pages([found("1.2.3.1"), *(found(uid) for uid in hostile)])) as fake:  # type: ignore[arg-type]
        uids, lines = search(fake.url)
    assert uids == ["1.2.3.1"]
    assert lines == [f"{len(hostile)} instances are left out: the server names them by something else than a UID"]


def test_nothing_found_names_the_filters_without_their_values() -> None:
    with serving(lambda _: Answer(204)) as fake, pytest.raises(PacsError, match=r"\(PatientID\)") as raised:
        search(fake.url, "PatientID=somebody")
    assert "somebody" not in str(raised.value)


@pytest.mark.parametrize(
    ("filters", "value", "applied"),
    [
        ("PatientID=A1", {"_00100020": "A2"}, False),
        ("PatientID=A1", {"_00100020": "a1 "}, True),
        ("PatientID=A*", {"_00100020": "B"}, True),
        ("PatientID=A1", {}, True),
        ("StudyDate=20240101-20240131", {"_00080020": "20240131"}, True),
        ("StudyDate=20240101-", {"_00080020": "20231231"}, False),
        ("StudyDate=-20240131", {"_00080020": "20240201"}, False),
    ],
)
def test_a_filter_that_the_server_ignores_ends_the_search(filters: str, value: dict[str, str], applied: bool) -> None:
    with serving(pages([found("1.2.3.1", **value)])) as fake:
        if applied:
            assert search(fake.url, filters)[0] == ["1.2.3.1"]
        else:
            with pytest.raises(PacsError, match="does not apply the filter"):
                search(fake.url, filters)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(kind="text/html", body=b"<html>login</html>"),
        Answer(body=b'["not an object"]'),
        Answer(body=b"[" * 100_000),
        Answer(body=b"3"),
    ],
)
def test_an_answer_that_is_no_dicom_json_is_one_line(answer: Answer) -> None:
    with serving(lambda _: answer) as fake, pytest.raises(PacsError, match="something else than DICOM JSON"):
        search(fake.url)
