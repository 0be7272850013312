"""What counts as stored: only what the server names as stored."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dentasam.data.pacs import store
from dentasam.data.pacs.store import store_files
from dentasam.errors import ImageError, PacsError

from .dicom_instances import write_instance
from .fake_server import Answer, Request, json_answer, serving

UIDS = ("1.2.3.1", "1.2.3.2", "1.2.3.3")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write_instance(tmp_path / f"{uid}.dcm", uid, study="1.2.1") for uid in UIDS]


def result(stored: dict[str, int | None], failed: dict[str, int | None]) -> dict[str, Any]:
    """A STOW-RS answer; the values are codes of warnings and of failures."""

    def sequence(uids: dict[str, int | None], code: str) -> dict[str, Any]:
        items = [
            {"00081155": {"vr": "UI", "Value": [uid]}} | ({} if why is None else {code: {"vr": "US", "Value": [why]}})
            for uid, why in uids.items()
        ]
        return {"vr": "SQ", "Value": items}

    return {"00081199": sequence(stored, "00081196"), "00081198": sequence(failed, "00081197")}


def answering(content: Any, status: int = 200) -> Callable[[Request], Answer]:
    return lambda _: json_answer(content, status)


def test_the_request_carries_the_files_byte_for_byte(files: list[Path]) -> None:
    with serving(answering(result(dict.fromkeys(UIDS), {}))) as fake:
        report = store_files(fake.url, files)
    assert (set(report.stored), report.refused, report.warnings) == (set(files), (), ())
    report.check()
    (request,) = fake.requests
    boundary = request.headers["Content-Type"].rpartition("boundary=")[2].encode()
    assert (request.method, request.path) == ("POST", "/dicom-web/studies")
    parts = [part.partition(b"\r\n\r\n") for part in request.body.split(b"\r\n--" + boundary)[1:-1]]
    assert {head for head, _, _ in parts} == {b"\r\nContent-Type: application/dicom"}
    assert [content for _, _, content in parts] == [file.read_bytes() for file in files]


@pytest.mark.parametrize("status", [202, 409])
def test_each_refused_instance_is_listed_with_its_reason(files: list[Path], status: int) -> None:
    answer = result({UIDS[0]: 0xB000}, {UIDS[1]: 0x0122, UIDS[2]: 0xA701})
    with serving(answering(answer, status)) as fake:
        report = store_files(fake.url, files)
    assert report.stored == (files[0],)
    assert [(refused.path, refused.reason) for refused in report.refused] == [
        (files[1], "the SOP class is not supported, code 0122"),
        (files[2], "the server has no room, code A701"),
    ]
    assert len(report.warnings) == 1
    assert "warning B000" in report.warnings[0]
    with pytest.raises(PacsError, match="2 of 3 files were not stored; the first: .*1.2.3.2.dcm"):
        report.check()


@pytest.mark.parametrize("content", [{}, [], 5, {"00081199": {"Value": "1.2.3.1"}}, result({"1.2.3.99": None}, {})])
def test_what_the_server_does_not_name_is_not_stored(files: list[Path], content: Any) -> None:
    with serving(answering(content)) as fake:
        report = store_files(fake.url, files)
    assert report.stored == ()
    assert {refused.reason for refused in report.refused} == {"the server does not confirm that it is stored"}


def test_a_failure_counts_more_than_a_confirmation(files: list[Path]) -> None:
    with serving(answering(result({UIDS[0]: None}, {UIDS[0]: None}))) as fake:
        report = store_files(fake.url, files[:1])
    assert [refused.reason for refused in report.refused] == ["the server gives no reason"]


def test_a_request_holds_one_study_and_is_bounded(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH_FILES", 2)
    files.append(write_instance(tmp_path / "other.dcm", "1.2.3.4", study="1.2.9"))
    counts: list[int] = []

    def answer(request: Request) -> Answer:
        counts.append(request.body.count(b"Content-Type: application/dicom"))
        sent = [uid for uid in (*UIDS, "1.2.3.4") if uid.encode() + b"\0" in request.body]
        return json_answer(result(dict.fromkeys(sent), {}))

    with serving(answer) as fake:
        report = store_files(fake.url, files)
    assert counts == [2, 1, 1]
    assert set(report.stored) == set(files)


def test_a_refused_request_is_sent_again_file_by_file(files: list[Path]) -> None:
    def answer(request: Request) -> Answer:
        sent = [uid for uid in UIDS if uid.encode() + b"\0" in request.body]
        return Answer(400) if UIDS[1] in sent else json_answer(result(dict.fromkeys(sent), {}))

    steps: list[tuple[int, int]] = []
    with serving(answer) as fake:
        report = store_files(fake.url, files, progress=lambda *step: steps.append(step))
    assert report.stored == (files[0], files[2])
    assert [refused.path for refused in report.refused] == [files[1]]
    assert "does not accept the request (400)" in report.refused[0].reason
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_server_that_fails_later_leaves_the_first_confirmed(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH_FILES", 1)
    answers = [json_answer(result({UIDS[0]: None}, {})), Answer(500), Answer(401)]
    with serving(lambda _: answers.pop(0)) as fake:
        report = store_files(fake.url, files)
    assert report.stored == (files[0],)
    assert [refused.path for refused in report.refused] == files[1:]
    assert "answers 500" in report.refused[0].reason
    assert "asks for credentials" in report.refused[1].reason


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(401), "asks for credentials"),
        (Answer(308, headers={"Location": "http://127.0.0.1:1/"}), "redirects are not followed"),
        (Answer(kind="application/dicom+xml", body=b"<NativeDicomModel/>"), "something else than DICOM JSON"),
    ],
)
def test_a_server_that_cannot_be_used_is_one_line(files: list[Path], answer: Answer, message: str) -> None:
    with serving(lambda _: answer) as fake, pytest.raises(PacsError, match=message):
        store_files(fake.url, files)
    assert len(fake.requests) == 1


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_every_file_is_looked_at_before_the_first_is_sent(tmp_path: Path, files: list[Path]) -> None:
    text = tmp_path / "notes.json"
    text.write_text(json.dumps({}))
    again = write_instance(tmp_path / "again.dcm", UIDS[0])
    unnamed = write_instance(tmp_path / "unnamed.dcm", study="a/b")
    with serving(lambda _: Answer(500)) as fake:
        for last, kind, message in (
            (text, ImageError, "not a DICOM file"),
            (tmp_path / "none.dcm", ImageError, "does not exist"),
            (again, PacsError, "has the SOPInstanceUID of .*1.2.3.1.dcm"),
            (unnamed, ImageError, "no valid SOPInstanceUID"),
        ):
            with pytest.raises(kind, match=message):
                store_files(fake.url, [*files, last])
    assert fake.requests == []
