"""The application as a whole: its errors in one line, its description, and what it never gives away."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from sqlalchemy.exc import DatabaseError, ProgrammingError

from dentasam.labelling.log.store import StorageFull
from dentasam.labelling.server import openapi
from dentasam.labelling.server.app import application, openapi_text
from dentasam.labelling.wire.envelope import MEDIA_TYPE

from ..running import Running, folder_of_images, running

ROOT = Path(__file__).parents[3]
GETS = [
    "/api/session",
    "/api/cases",
    "/api/cases/1",
    "/api/cases/1/pixels",
    "/api/cases/1/thumbnail",
    "/api/cases/1/picture",
    "/api/cases/1/operations",
    "/api/cases/1/comments",
    "/api/progress",
    "/api/export/coco",
    "/api/export/png",
    "/api/export/log",
    "/api/export/timing",
    "/info/",
    "/openapi.json",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(folder_of_images(tmp_path_factory.mktemp("app") / "images")) as server:
        yield server


def test_every_route_of_the_description_but_healthz_needs_the_token(server: Running) -> None:
    for path, methods in application().openapi()["paths"].items():
        for method in methods:
            where = path.replace("{case_id}", "1").replace("{model}", "small")
            answer = server.stranger.request(method.upper(), where)
            assert answer.status_code == (200 if path == "/healthz" else 401), (method, path)
    for path in ("/", "/assets/index.js", "/openapi.json", "/docs", "/redoc", "/login"):
        assert server.stranger.get(path).status_code == 401, path


@pytest.mark.parametrize("path", GETS)
def test_reading_works_with_the_token(server: Running, path: str) -> None:
    assert server.client.get(path).status_code == 200


def test_there_are_no_pages_with_foreign_scripts(server: Running) -> None:
    for path in ("/docs", "/redoc", "/docs/oauth2-redirect"):
        assert server.client.get(path).status_code == 404


def test_faults_are_one_line(server: Running) -> None:
    requests: list[tuple[str, str, dict[str, Any], int]] = [
        ("GET", "/api/nothing", {}, 404),
        ("DELETE", "/api/cases", {}, 405),
        ("GET", "/api/cases/99", {}, 404),
        ("GET", "/api/cases/0", {}, 422),
        ("GET", "/api/cases/99999999999999999999999", {}, 422),
        ("GET", "/api/cases/a.png", {}, 422),
        ("GET", "/api/cases/1/operations?since=-1", {}, 422),
        ("POST", "/api/cases/1/comments", {"json": {"text": ""}}, 422),
        ("POST", "/api/cases/1/comments", {"json": {"text": "a", "html": "b"}}, 422),
        ("POST", "/api/cases/1/comments", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 422),
        ("POST", "/api/cases/1/predict", {"content": b"DSM1"}, 415),
        ("POST", "/api/cases/1/predict", {"content": b"DSM1", "headers": {"Content-Type": MEDIA_TYPE}}, 422),
        ("POST", "/api/import/coco", {"json": {"images": [], "annotations": [{}], "categories": []}}, 422),
    ]
    for method, path, given, status in requests:
        answer = server.client.request(method, path, **given)
        assert answer.status_code == status, (method, path, answer.text)
        assert list(answer.json()) == ["detail"]
        assert len(answer.json()["detail"].splitlines()) == 1, (method, path)


def test_a_key_that_utf_8_cannot_carry_is_told_all_the_same(server: Running) -> None:
    body = b'{"text": "a", "\\ud800": 1}'
    answer = server.client.post("/api/cases/1/comments", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    text = b'{"operations": [{"kind": "lock", "\\ud800": 1}]}'
    envelope = b"DSM1" + len(text).to_bytes(4, "little") + text
    answer = server.client.post(
        "/api/cases/1/operations", content=envelope, headers={"Content-Type": MEDIA_TYPE, "If-Match": '"0"'}
    )
    assert answer.status_code == 422


def test_a_fault_of_the_server_shows_no_traceback_and_no_path(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError(f"secret of {server.workspace.root}")

    monkeypatch.setattr(server.store, "cases", broken)
    answer = server.client.get("/api/cases")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "the server failed; its terminal shows more"}
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_error_of_the_database_is_no_damage(
    server: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong() -> None:
        raise ProgrammingError("SELECT", {}, sqlite3.ProgrammingError("no binding at db.example"))

    monkeypatch.setattr(server.store, "cases", wrong)
    answer = server.client.get("/api/cases")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "the server failed; its terminal shows more"}
    assert any("no binding" in str(record.exc_info) for record in caplog.records)


def test_damage_is_logged_and_shows_no_path(
    server: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = sqlite3.DatabaseError(f"cannot decode {server.workspace.root}/labels.sqlite3")

    def damaged() -> None:
        raise DatabaseError("SELECT", {}, broken)

    monkeypatch.setattr(server.store, "cases", damaged)
    answer = server.client.get("/api/cases")
    assert answer.status_code == 503
    line = answer.json()["detail"]
    assert line.startswith("the database failed (cannot decode the workspace/labels.sqlite3); see Damage")
    assert any("cannot decode" in str(record.exc_info) for record in caplog.records)


def test_a_full_disk_is_507_in_one_line(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise StorageFull(f"{server.workspace.root}/labels.sqlite3: the disk is full; nothing was stored, make room")

    monkeypatch.setattr(server.store, "append", full)
    answer = server.append([], 0)
    assert answer.status_code == 507
    assert answer.json()["detail"] == "the workspace/labels.sqlite3: the disk is full; nothing was stored, make room"


def test_a_full_disk_while_the_schema_is_saved(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    answer = server.client.put("/api/schema", json=server.client.get("/api/session").json()["schema"])
    assert answer.status_code == 507
    assert "No space left on device" in answer.json()["detail"]
    assert str(server.workspace.root) not in answer.json()["detail"]


def test_an_image_that_is_gone_is_told_by_its_name(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    with running(folder) as server:
        (folder / "a.png").unlink()
        (folder / "b.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")
        for case, name in ((1, "a.png"), (2, "b.png")):
            for route in ("pixels", "thumbnail"):
                answer = server.client.get(f"/api/cases/{case}/{route}")
                assert answer.status_code == 410
                assert answer.json()["detail"].startswith(f"{name} cannot be read any more")
                assert str(tmp_path) not in answer.text


def test_nothing_of_a_dicom_header_leaves(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    _dicom(folder / "opg.dcm")
    with running(folder) as server:
        case = next(case for case in server.client.get("/api/cases").json() if case["name"] == "opg.dcm")
        assert case["bits"] == 16
        own = [path.replace("/1", f"/{case['id']}") for path in GETS]
        server.append([_create()], 0, case["id"])
        server.client.get(f"/api/cases/{case['id']}/nothing")
        for path in own:
            answer = server.client.get(path)
            assert answer.status_code == 200, path
            everything = answer.content + repr(answer.headers).encode()
            for secret in (b"Mustermann", b"19700101", b"ID-4711", b"Praxis am Markt"):
                assert secret not in everything, path


def test_no_answer_names_an_absolute_path(server: Running) -> None:
    for path in GETS:
        answer = server.client.get(path)
        assert str(server.workspace.folder).encode() not in answer.content + repr(answer.headers).encode(), path


def test_images_are_known_by_case_number_alone(server: Running, tmp_path: Path) -> None:
    for wanted in (
        "/etc/hostname",
        "../images/a.png",
        "%2e%2e/%2e%2e/etc/passwd",
        "a.png/../../x",
        "file:///etc/passwd",
    ):
        assert server.client.get(f"/api/cases/{wanted}/pixels").status_code in (404, 422), wanted
        assert server.client.post("/infer/small", params={"image": wanted}, json={}).status_code == 404, wanted


def test_pages_files_are_served_by_a_list(tmp_path: Path) -> None:
    page = tmp_path / "page"
    (page / "assets" / "deep").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>page</title>")
    (page / "assets" / "index-1a2b.js").write_text("export {}")
    (page / "assets" / "deep" / "font.woff2").write_bytes(b"font")
    (page / "assets" / "notes.unknown").write_text("no")
    (page / "secret.js").write_text("no")
    with running(folder_of_images(tmp_path / "images"), page=page) as server:
        index = server.client.get("/")
        assert index.text == "<!doctype html><title>page</title>"
        assert index.headers["cache-control"] == "no-store"
        assert index.headers["content-type"].startswith("text/html")
        script = server.client.get("/assets/index-1a2b.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert script.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert server.client.get("/assets/deep/font.woff2").content == b"font"
        for name in (
            "notes.unknown",
            "../secret.js",
            "%2e%2e/secret.js",
            "..%2fsecret.js",
            "",
            "deep",
            "/etc/passwd",
        ):
            assert server.client.get(f"/assets/{name}").status_code == 404, name
        assert server.stranger.get("/assets/index-1a2b.js").status_code == 401


def test_the_committed_description_is_current() -> None:
    written = (ROOT / "web" / "openapi.json").read_text(encoding="utf-8")
    assert written == openapi_text(), "run: python -m dentasam.labelling.server.openapi web/openapi.json"


def test_the_description_is_written_by_the_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "openapi.json"
    assert openapi.main([str(file)]) == 0
    text = file.read_text(encoding="utf-8")
    assert text == openapi_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert openapi.main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_description_is_served_as_it_is_committed(server: Running) -> None:
    assert server.client.get("/openapi.json").json() == json.loads(openapi_text())


def test_every_reference_of_the_description_leads_somewhere() -> None:
    content = json.loads(openapi_text())

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    schemas = content["components"]["schemas"]
    named = {reference.removeprefix("#/components/schemas/") for reference in references(content)}
    assert named <= schemas.keys()
    assert {"CaseDocument", "OperationsDocument", "PredictDocument", "RefineDocument", "MaskRef"} <= named
    assert schemas["ChangeMask"]["properties"]["mask"] == {"$ref": "#/components/schemas/MaskRef"}


def test_every_success_is_described() -> None:
    for path, methods in json.loads(openapi_text())["paths"].items():
        for method, operation in methods.items():
            success = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
            if "204" not in operation["responses"]:
                assert all(kind.get("schema") for kind in success["content"].values()), (method, path)
            assert operation["summary"], (method, path)


def _create() -> dict[str, Any]:
    return {
        "id": "00000000-0000-4000-8000-00000000000a",
        "kind": "create",
        "object": "00000000-0000-4000-8000-00000000000b",
        "time": 1,
        "data": {"source": "manual"},
    }


def _dicom(path: Path) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.1")
    meta.MediaStorageSOPInstanceUID = generate_uid()
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.PatientName, file.PatientBirthDate, file.PatientID = "Mustermann^Erika", "19700101", "ID-4711"
    file.InstitutionName = "Praxis am Markt"
    file.Rows, file.Columns, file.SamplesPerPixel = 40, 60, 1
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 12, 11, 0
    file.PhotometricInterpretation = "MONOCHROME2"
    file.PixelData = (np.arange(40 * 60, dtype=np.uint16) % 4096).tobytes()
    file.save_as(path, enforce_file_format=True)
    assert pydicom.dcmread(path).PatientName == "Mustermann^Erika"
