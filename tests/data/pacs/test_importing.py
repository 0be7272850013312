"""An import from a server that misbehaves: nothing wrong is written, and one line says what happened."""

import base64
import json
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dentasam.data.dataset import Dataset
from dentasam.data.pacs import importing, retrieve, session
from dentasam.data.pacs.importing import import_dicomweb
from dentasam.errors import OutputError, PacsError

from ...linked_away import linked_away
from .dicom_instances import write_instance
from .fake_server import MULTIPART, Answer, Request, found, json_answer, multipart, serving

UIDS = ("1.2.3.1", "1.2.3.2")


@pytest.fixture(autouse=True)
def without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "USER", "PASSWORD", "CA"):
        monkeypatch.delenv(f"DENTASAM_PACS_{name}", raising=False)
    monkeypatch.setattr(session, "PAUSES", (0.0, 0.0))


@pytest.fixture
def instances(tmp_path: Path) -> dict[str, bytes]:
    folder = tmp_path / "server"
    folder.mkdir()
    return {uid: write_instance(folder / uid, uid).read_bytes() for uid in UIDS}


def pacs(instances: dict[str, bytes], **replaced: Answer) -> Callable[[Request], Answer]:
    """A server of the instances. replaced: the answer for the first instance, or `search`."""

    def answer(request: Request) -> Answer:
        if request.path.endswith("/instances"):
            page = [found(uid) for uid in instances][int(request.query["offset"][0]) :]
            return replaced.get("search") or json_answer(page)
        uid = request.path.rpartition("/")[2]
        if uid == UIDS[0] and "first" in replaced:
            return replaced["first"]
        return Answer(kind=MULTIPART, body=multipart(instances[uid]))

    return answer


def test_an_import_is_the_server_s_bytes_and_a_dataset_without_objects(
    tmp_path: Path, instances: dict[str, bytes]
) -> None:
    steps: list[tuple[int, int]] = []
    with serving(pacs(instances)) as fake:
        path = import_dicomweb(fake.url, tmp_path / "out", progress=lambda *step: steps.append(step))
    assert {file.name: file.read_bytes() for file in (tmp_path / "out" / "images").iterdir()} == {
        f"{uid}.dcm": content for uid, content in instances.items()
    }
    dataset = Dataset.load(path)
    assert [image.file_name for image in dataset.images] == [f"images/{uid}.dcm" for uid in UIDS]
    assert [(image.height, image.width, image.objects) for image in dataset.images] == [(32, 64, ())] * 2
    assert steps == [(1, 2), (2, 2)]


def _other(content: bytes) -> bytes:
    return content.replace(b"1.2.3.1\0", b"1.2.3.9\0")


WRONG: dict[str, tuple[Callable[[bytes], Answer], str]] = {
    "another instance": (lambda c: Answer(kind=MULTIPART, body=multipart(_other(c))), "sends '1.2.3.9' in its place"),
    "a page": (lambda c: Answer(kind="text/html", body=b"<html>"), "sends 'text/html' in place of DICOM"),
    "no kind": (lambda c: Answer(kind="", body=c), "in place of DICOM"),
    "no DICOM": (lambda c: Answer(kind=MULTIPART, body=multipart(b"<html>")), "something else than a DICOM file"),
    "no part": (lambda c: Answer(kind=MULTIPART, body=b"--a-boundary--\r\n"), "sends no instance"),
    "two parts": (lambda c: Answer(kind=MULTIPART, body=multipart(c, c)), "sends several instances"),
    "an open multipart": (lambda c: Answer(kind=MULTIPART, body=multipart(c, end=False)), "incomplete instance"),
    "a cut multipart": (lambda c: Answer(kind=MULTIPART, body=multipart(c)[:-300]), "incomplete instance"),
    "fewer bytes than told": (
        lambda c: Answer(kind=MULTIPART, body=multipart(c)[:-300], length=len(multipart(c))),
        "ends the connection in the middle",
    ),
    "cut pixels": (lambda c: Answer(kind=MULTIPART, body=multipart(c[:-300])), "the file"),
    "no boundary": (lambda c: Answer(kind="multipart/related", body=multipart(c)), "in place of DICOM"),
    "compressed": (
        lambda c: Answer(kind=MULTIPART, body=multipart(c), headers={"Content-Encoding": "gzip"}),
        "compresses its answers",
    ),
    "an error": (lambda c: Answer(500, body=b"secret detail"), r"answers 500 \(Internal Server Error\)"),
    "not there": (lambda c: Answer(404), r"does not have what was asked for \(404\)"),
    "a redirect elsewhere": (
        lambda c: Answer(302, headers={"Location": "https://elsewhere.org/x?token=secret"}),
        "redirects to https://elsewhere.org:443; redirects are not followed",
    ),
    "a redirect to another path": (lambda c: Answer(307, headers={"Location": "/other"}), "redirects to http://127"),
    "a redirect to a file": (lambda c: Answer(301, headers={"Location": "file:///etc/passwd"}), "no usable address"),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_instance_that_fails_is_listed_and_the_others_are_there(
    tmp_path: Path, instances: dict[str, bytes], what: str
) -> None:
    answer, message = WRONG[what]
    lines: list[str] = []
    with (
        serving(pacs(instances, first=answer(instances[UIDS[0]]))) as fake,
        pytest.raises(PacsError, match="1 instance could not be imported, listed above; 1 image is in"),
    ):
        import_dicomweb(fake.url, tmp_path / "out", report=lines.append)
    assert len(lines) == 1
    assert lines[0].startswith("instance 1.2.3.1 is left out: ")
    assert re.search(message, lines[0]), lines[0]
    assert "secret" not in lines[0]
    assert os.listdir(tmp_path / "out" / "images") == ["1.2.3.2.dcm"]
    assert len(Dataset.load(tmp_path / "out" / "dataset.json").images) == 1
    assert all(request.headers["Host"] in fake.url for request in fake.requests)


def test_the_bare_instance_that_some_servers_send_is_taken(tmp_path: Path, instances: dict[str, bytes]) -> None:
    bare = Answer(kind="application/dicom", body=instances[UIDS[0]])
    with serving(pacs(instances, first=bare)) as fake:
        import_dicomweb(fake.url, tmp_path / "out")
    assert (tmp_path / "out" / "images" / "1.2.3.1.dcm").read_bytes() == instances[UIDS[0]]


def test_a_huge_instance_is_cut_off(
    tmp_path: Path, instances: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieve, "MAX_INSTANCE_BYTES", 20_000)
    huge = Answer(kind=MULTIPART, body=multipart(instances[UIDS[0]] + bytes(5_000_000)))
    lines: list[str] = []
    with serving(pacs(instances, first=huge)) as fake, pytest.raises(PacsError, match="1 image is in"):
        import_dicomweb(fake.url, tmp_path / "out", report=lines.append)
    assert "sends over 0.02 MB in one answer" in lines[0]
    assert os.listdir(tmp_path / "out" / "images") == ["1.2.3.2.dcm"]


def test_a_huge_search_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MAX_ANSWER_BYTES", 1_000_000)
    with (
        serving(lambda _: Answer(body=b"[" + b" " * 3_000_000 + b"]")) as fake,
        pytest.raises(PacsError, match="sends over 1 MB"),
    ):
        import_dicomweb(fake.url, tmp_path / "out")


def test_a_byte_now_and_then_does_not_hold_the_import_up(
    tmp_path: Path, instances: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAX_ANSWER_SECONDS", 0.3)
    slow = Answer(kind=MULTIPART, body=multipart(instances[UIDS[0]]), pause=0.02)
    lines: list[str] = []
    start = time.monotonic()
    with serving(pacs(instances, first=slow)) as fake, pytest.raises(PacsError, match="1 image is in"):
        import_dicomweb(fake.url, tmp_path / "out", report=lines.append)
    assert "takes over 0.3 s for one answer" in lines[0]
    assert time.monotonic() - start < 5


def test_a_server_that_says_nothing_is_left_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/dicom-web"
        with pytest.raises(PacsError, match="does not answer in time"):
            import_dicomweb(url, tmp_path / "out", answer_seconds=0.2)
    with pytest.raises(PacsError, match=r"cannot be reached \(Connection refused\)"):
        import_dicomweb(url, tmp_path / "out")


def test_a_busy_server_is_asked_again(tmp_path: Path, instances: dict[str, bytes]) -> None:
    busy = [Answer(503), Answer(429)]
    honest = pacs(instances)
    with serving(lambda request: busy.pop() if busy else honest(request)) as fake:
        import_dicomweb(fake.url, tmp_path / "out")
    assert len(os.listdir(tmp_path / "out" / "images")) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_one_line_without_them(
    tmp_path: Path, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(lambda _: Answer(status)) as fake:
        with pytest.raises(PacsError, match="asks for credentials.*set DENTASAM_PACS_TOKEN"):
            import_dicomweb(fake.url, tmp_path / "out")
        monkeypatch.setenv("DENTASAM_PACS_TOKEN", "hidden")
        with pytest.raises(PacsError, match=r"refuses DENTASAM_PACS_TOKEN \(40") as raised:
            import_dicomweb(fake.url, tmp_path / "out")
    assert "hidden" not in str(raised.value)
    assert "Authorization" not in fake.requests[0].headers
    assert fake.requests[1].headers["Authorization"] == "Bearer hidden"


def test_nothing_comes_from_the_surroundings(
    tmp_path: Path, instances: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password hidden\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("DENTASAM_PACS_USER", "reader")
    monkeypatch.setenv("DENTASAM_PACS_PASSWORD", "of images")
    with serving(pacs(instances)) as fake:
        import_dicomweb(fake.url, tmp_path / "out")
    wanted = "Basic " + base64.b64encode(b"reader:of images").decode()
    assert {request.headers["Authorization"] for request in fake.requests} == {wanted}


def test_many_failures_in_a_row_end_the_import(tmp_path: Path) -> None:
    entries = [found(f"1.2.4.{number}") for number in range(30)]

    def answer(request: Request) -> Answer:
        if request.path.endswith("/instances"):
            return json_answer(entries[int(request.query["offset"][0]) :])
        return Answer(500)

    lines: list[str] = []
    with serving(answer) as fake, pytest.raises(PacsError, match="30 instances could not be imported.*0 images are"):
        import_dicomweb(fake.url, tmp_path / "out", report=lines.append)
    assert lines[-1] == "5 instances in a row failed; 25 more are not tried"
    assert len(lines) == importing.MAX_FAILURES_IN_A_ROW + 1
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_an_import_goes_on_where_it_stopped(tmp_path: Path, instances: dict[str, bytes]) -> None:
    out = tmp_path / "out"
    failing, honest = pacs(instances, first=Answer(500)), pacs(instances)
    with serving(failing) as fake:
        with pytest.raises(PacsError, match="--resume tries the rest again"):
            import_dicomweb(fake.url, out)
        with pytest.raises(OutputError, match="is in use"):
            import_dicomweb(fake.url, out)
        (out / "images" / ".1.2.3.1.dcm.1.1.part").write_bytes(b"left by a killed import")
        fake.answer = honest
        fake.requests.clear()
        import_dicomweb(fake.url, out, resume=True)
        fetched = [request.path for request in fake.requests if request.path.endswith(UIDS)]
        assert [path.rpartition("/")[2] for path in fetched] == ["1.2.3.1"]
        assert sorted(os.listdir(out / "images")) == ["1.2.3.1.dcm", "1.2.3.2.dcm"]
        assert len(Dataset.load(out / "dataset.json").images) == 2
        # A file that is cut, or that holds something else, is not whole.
        (out / "images" / "1.2.3.1.dcm").write_bytes(instances["1.2.3.1"][:-100])
        (out / "images" / "1.2.3.2.dcm").write_bytes(instances["1.2.3.1"])
        import_dicomweb(fake.url, out, resume=True)
    assert {(out / "images" / f"{uid}.dcm").read_bytes() for uid in UIDS} == set(instances.values())


def test_a_dataset_with_objects_is_not_replaced(tmp_path: Path, instances: dict[str, bytes]) -> None:
    out = tmp_path / "out"
    with serving(pacs(instances)) as fake:
        path = import_dicomweb(fake.url, out)
        content: dict[str, Any] = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"annotations": [{"id": 1}]}))
        with pytest.raises(OutputError, match="holds objects, which would be lost"):
            import_dicomweb(fake.url, out, resume=True)
        (out / "notes.txt").write_text("")
        with pytest.raises(OutputError, match=r"not an import from a PACS \(it holds notes.txt\)"):
            import_dicomweb(fake.url, out, resume=True)


def test_a_search_that_finds_nothing_leaves_the_folder_usable(tmp_path: Path, instances: dict[str, bytes]) -> None:
    with serving(pacs(instances, search=Answer(204))) as fake:
        with pytest.raises(PacsError, match="it holds no radiograph"):
            import_dicomweb(fake.url, tmp_path / "out")
        fake.answer = pacs(instances)
        import_dicomweb(fake.url, tmp_path / "out")


@pytest.mark.parametrize("place", ["images", "images/1.2.3.1.dcm", "dataset.json", "segmentations"])
def test_nothing_is_written_through_a_link_in_an_import_that_goes_on(
    tmp_path: Path, instances: dict[str, bytes], place: str
) -> None:
    out = tmp_path / "out"
    with serving(pacs(instances)) as fake:
        import_dicomweb(fake.url, out)
        (out / "images" / "1.2.3.2.dcm").unlink()
        with linked_away(out / place, tmp_path / "outside"):
            import_dicomweb(fake.url, out, resume=True)
