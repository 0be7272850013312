"""Images that are added while the server runs: what is taken, what is refused, and that nothing is overwritten."""

import asyncio
import errno
import hashlib
import io
import os
import stat
import unicodedata
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from dentasam.data.images.read import read_image
from dentasam.labelling.auth import middleware
from dentasam.labelling.exchange import added_images
from dentasam.labelling.exchange.added_images import UPLOAD_FOLDER

from ..running import HEIGHT, PORT, TOKEN, WIDTH, Running, folder_of_images, running

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(folder_of_images(tmp_path / "images")) as started:
        yield started


def png(value: int = 7, height: int = HEIGHT, width: int = WIDTH) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((height, width), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def dicom() -> bytes:
    header = pydicom.Dataset()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.1")
    header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID
    header.Modality, header.PhotometricInterpretation = "PX", "MONOCHROME2"
    header.Rows, header.Columns, header.SamplesPerPixel, header.PixelRepresentation = HEIGHT, WIDTH, 1, 0
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit = 15
    header.PixelData = np.arange(HEIGHT * WIDTH, dtype="<u2").tobytes()
    file = io.BytesIO()
    header.save_as(file, enforce_file_format=True)
    return file.getvalue()


def add(server: Running, name: str, body: Any, **headers: str) -> Any:
    return server.client.post(f"/api/images?name={quote(name, safe='')}", content=body, headers=OCTETS | headers)


def files(server: Running) -> dict[str, str]:
    """Everything in the folder but the workspace's own: hashes by path."""
    folder = server.workspace.folder
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".dentasam" not in path.parts
    }


def refused(server: Running, name: str, body: Any, status: int, **headers: str) -> str:
    """The line of a refusal, after which everything is as it was."""
    before, cases = files(server), server.client.get("/api/cases").json()
    answer = add(server, name, body, **headers)
    assert answer.status_code == status, answer.text
    detail: str = answer.json()["detail"]
    assert "\n" not in detail
    assert str(server.workspace.folder) not in detail
    assert files(server) == before
    assert server.client.get("/api/cases").json() == cases
    assert not list((server.workspace.root / UPLOAD_FOLDER).rglob("*"))
    return detail


def test_an_image_becomes_a_case_that_can_be_opened(server: Running) -> None:
    before = server.client.get("/api/progress").json()
    body = png()
    answer = add(server, "new one.PNG", body)
    assert answer.status_code == 201
    case = answer.json()
    facts = ("name", "width", "height", "bits", "status", "objects", "revision")
    assert [case[fact] for fact in facts] == ["new one.PNG", WIDTH, HEIGHT, 8, "new", 0, 0]
    assert files(server)["new one.PNG"] == hashlib.sha256(body).hexdigest()
    assert case in server.client.get("/api/cases").json()
    pixels = server.client.get(f"/api/cases/{case['id']}/pixels")
    assert set(pixels.content) == {7}
    assert server.client.get(f"/api/cases/{case['id']}/thumbnail").status_code == 200
    assert server.client.post(f"/api/cases/{case['id']}/open").status_code == 204
    assert case["id"] in server.model.worklist
    assert server.model.news == 1
    # Other pages learn of it without a restart.
    assert server.client.get("/api/progress").json()["worklist"] != before["worklist"]
    answer = server.client.get("/api/export/coco")
    assert "new one.PNG" in {image["file_name"] for image in answer.json()["images"]}
    assert not list((server.workspace.root / UPLOAD_FOLDER).rglob("*"))


def test_it_is_there_after_a_restart_under_the_same_id(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    with running(folder) as server:
        case = add(server, "c.png", png()).json()
    with running(folder) as server:
        assert case in server.client.get("/api/cases").json()


def test_dicom_of_every_name_is_taken(server: Running) -> None:
    for name in ("a.dcm", "IM0001", "1.2.840.113"):
        answer = add(server, name, dicom(), **{"Content-Type": "application/dicom"})
        if answer.status_code == 422:
            # What is left out at the start is left out here too.
            assert name == "1.2.840.113"
            continue
        assert (answer.status_code, answer.json()["bits"]) == (201, 16), answer.text


def written(path: Path) -> tuple[int, int, bytes]:
    """Which file it is, when it was last written, and what it holds; when it was read changes with every look."""
    state = path.stat()
    return state.st_ino, state.st_mtime_ns, path.read_bytes()


def test_the_same_file_again_changes_nothing(server: Running) -> None:
    first = add(server, "c.png", png())
    before = written(server.workspace.folder / "c.png")
    again = add(server, "c.png", png())
    assert (again.status_code, again.json()) == (200, first.json())
    assert written(server.workspace.folder / "c.png") == before
    assert len(server.client.get("/api/cases").json()) == 3


@pytest.mark.parametrize("name", ["a.png", "A.PNG"])
def test_another_file_of_a_name_is_never_overwritten(server: Running, name: str) -> None:
    assert "another image is there under the name a.png" in refused(server, name, png(), 409)


def test_accents_composed_in_another_way_are_the_same_name(server: Running) -> None:
    add(server, unicodedata.normalize("NFC", "zähne.png"), png())
    refused(server, unicodedata.normalize("NFD", "zähne.png"), png(8), 409)


def test_a_file_that_was_copied_by_hand_is_listed_when_it_is_dropped(server: Running) -> None:
    (server.workspace.folder / "by-hand.png").write_bytes(png())
    answer = add(server, "by-hand.png", png())
    assert answer.status_code == 200
    assert answer.json() in server.client.get("/api/cases").json()


@pytest.mark.parametrize(
    "name",
    [
        "../c.png",
        "/etc/c.png",
        "deep/c.png",
        "deep\\c.png",
        "C:c.png",
        "..",
        ".",
        "",
        ".hidden.png",
        " c.png",
        "c.png ",
        "c\x00.png",
        "c\n.png",
        "c\u202egnp.png",
        "\ufffd.png",
        "\u200b.png",
        "c\u115f.png",
        "c\ufe0f.png",
        "c\U000e0041.png",
        "c.png/",
        "x" * 250 + ".png",
        "ä" * 120 + ".png",
    ],
)
def test_names_that_are_no_plain_file_names(server: Running, name: str) -> None:
    refused(server, name, png(), 422)


def test_joiners_that_a_language_needs_stay_in_a_name(server: Running) -> None:
    name = "می\u200cخواهم 👩\u200d⚕️.png"
    answer = server.client.post("/api/images", params={"name": name}, content=png(), headers=OCTETS)
    assert answer.status_code == 201
    assert answer.json()["name"] == name


def test_bytes_that_are_no_text_in_the_name(server: Running) -> None:
    answer = server.client.post("/api/images?name=%ff%fe.png", content=png(), headers=OCTETS)
    assert answer.status_code == 422
    assert server.client.post("/api/images", content=png(), headers=OCTETS).status_code == 422


def test_other_kinds_of_files(server: Running) -> None:
    assert "is not a PNG, JPEG, TIFF or DICOM file" in refused(server, "notes.txt", b"notes", 415)
    refused(server, "slides.pdf", png(), 415)
    assert "c.png" in refused(server, "c.png", b"no image at all", 422)
    assert "c.png" in refused(server, "c.png", b"", 422)
    refused(server, "IM0001", b"no DICOM", 422)
    refused(server, "c.png", png(), 415, **{"Content-Type": "text/html"})


def test_a_truncated_image_is_refused_though_its_header_is_sound(server: Running) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    assert "c.png is damaged or truncated" in refused(server, "c.png", file.getvalue()[:50_000], 422)


def test_a_file_over_the_limit(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "IMAGE_BODY_BYTES", 10_000)
    assert "at most 10000 bytes" in refused(server, "c.png", b"x" * 10_001, 413)
    # Without a declared length too.
    refused(server, "c.png", iter([b"x" * 4096] * 3), 413)


def test_an_image_that_was_labelled_at_another_size_does_not_come_back_under_old_masks(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    with running(folder) as server:
        create = {"id": str(uuid4()), "kind": "create", "object": str(uuid4()), "time": 1}
        data = {"category": None, "parent": None, "source": "manual"}
        assert server.append([create | {"data": data}], 0).status_code == 200
        (folder / "a.png").unlink()
    with running(folder) as server:
        detail = refused(server, "a.png", png(1, HEIGHT + 1, WIDTH), 409)
        assert detail.startswith("a.png is not added: it has 60x41 pixels, but was labelled at 60x40")
        back = add(server, "a.png", png(1))
        assert (back.status_code, back.json()["id"], back.json()["revision"]) == (201, 1, 1)


def test_a_coco_file_decides_which_images_there_are(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    source = tmp_path / "train.json"
    source.write_text(
        '{"images": [{"id": 1, "file_name": "images/a.png", "width": 60, "height": 40}], "annotations": [{"id": 1, '
        '"image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0, "segmentation": '
        '[[1, 1, 10, 1, 10, 10, 1, 10]]}], "categories": [{"id": 1, "name": "11"}]}'
    )
    assert folder.is_dir()
    with running(source) as server:
        assert "COCO file" in server.client.get("/api/session").json()["no_images"]
        assert "COCO file" in refused(server, "c.png", png(), 409)


def test_a_folder_that_cannot_be_written_says_so(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server.client.get("/api/session").json()["no_images"] is None
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "read-only" in server.client.get("/api/session").json()["no_images"]
    assert "read-only" in refused(server, "c.png", png(), 409)


@pytest.mark.parametrize("place", ["arriving", "moving"])
def test_a_full_disk_adds_nothing(server: Running, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if place == "arriving":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(os, "link", full)
        monkeypatch.setattr(added_images.shutil, "copyfile", full)  # type: ignore[attr-defined]
    assert "full" in refused(server, "c.png", png(), 507)


def test_a_folder_on_a_disk_without_links(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", unknown)
    body = png()
    assert add(server, "c.png", body).status_code == 201
    assert files(server)["c.png"] == hashlib.sha256(body).hexdigest()
    refused(server, "c.png", png(8), 409)


def test_a_name_taken_in_the_last_moment_is_not_overwritten(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def late(source: Path, target: Path) -> None:
        if Path(target).name == "c.png":
            Path(target).write_bytes(b"somebody else's")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert add(server, "c.png", png()).status_code == 409
    assert (server.workspace.folder / "c.png").read_bytes() == b"somebody else's"


def test_a_link_that_leads_out_of_the_folder_is_not_written_through(server: Running, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    (server.workspace.folder / "c.png").symlink_to(outside)
    refused(server, "c.png", png(), 409)
    assert not outside.exists()


def test_an_upload_that_breaks_off_adds_nothing_and_is_no_fault_of_the_server(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": png()[:20], "more_body": True},
        {"type": "http.disconnect"},
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/images",
        "raw_path": b"/api/images",
        "query_string": b"name=c.png",
        "headers": [
            (b"host", f"127.0.0.1:{PORT}".encode()),
            (b"authorization", f"Bearer {TOKEN}".encode()),
            (b"content-type", b"application/octet-stream"),
        ],
    }
    before = files(server)

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None: ...

    asyncio.run(server.app(scope, receive, send))
    assert not messages
    assert files(server) == before
    assert not list((server.workspace.root / UPLOAD_FOLDER).rglob("*"))
    assert not caplog.records


def test_a_stranger_and_another_site_add_nothing(server: Running) -> None:
    assert server.stranger.post("/api/images?name=c.png", content=png(), headers=OCTETS).status_code == 401
    refused(server, "c.png", png(), 403, Origin="http://evil.example")


def test_what_arrives_is_for_the_owner_alone(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    read = read_image

    def spy(path: Path) -> np.ndarray:
        modes.append(stat.S_IMODE(path.parent.stat().st_mode))
        return read(path)

    monkeypatch.setattr(added_images, "read_image", spy)
    assert add(server, "c.png", png()).status_code == 201
    assert modes == [0o700]


def test_what_a_killed_server_left_is_swept_away(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    with running(folder) as server:
        left = server.workspace.root / UPLOAD_FOLDER / "0123" / "half.png"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"half")
    with running(folder):
        assert not left.exists()
