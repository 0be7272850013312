"""Bent requests to the labelling server's application, in process."""

import json
import tempfile
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import UUID
from zipfile import ZipFile, ZipInfo

from PIL import Image

from ..labelling.running import create, folder_of_images, masked, running, square
from .benders.archives import bend_zip
from .benders.documents import bend_document
from .benders.png import bend_png
from .benders.raw import bend_bytes
from .examples.images import gray8
from .kind import Bent

REQUESTS = 12  # of one case: the application takes longer to make than a request
ENVELOPE = "application/vnd.dentasam.masks"
PARTS = ("", "0", "1", "-1", "99999999999999999999", "1e400", "%00", "..%2f..", "a\u202e", "1" * 5000, "NaN")
NAMES = ("new.png", "a.json", "a.zip", "annotations.xml", "../a.json", "x\x00", "\u202e.json", "x" * 400, "")
READ = (
    "/api/cases", "/api/cases/1", "/api/cases/1/operations", "/api/cases/1/pixels", "/api/cases/1/picture",
    "/api/export/coco", "/api/export/labelme", "/api/export/x", "/api/progress", "/api/session", "/info/",
)  # fmt: skip
OBJECT = "00000000-0000-4000-9000-000000000001"
COCO = {
    "images": [{"id": 1, "file_name": "a.png", "width": 60, "height": 40}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]], "bbox": [1, 1, 8, 8]}
    ],
    "categories": [{"id": 1, "name": "11"}],
}


def _mask(offset: int) -> dict[str, int]:
    return {"x": 1, "y": 2, "width": 2, "height": 2, "offset": offset, "length": 2}


def _enveloped() -> dict[str, Any]:
    """A valid document for each route that takes an envelope; its masks refer to RUNS."""
    click = {"id": OBJECT, "clicks": [[10.0, 12.0, 1]], "category": "11"}
    made = {**create(OBJECT, category="11"), "id": str(UUID(int=1))}
    painted = {**masked(OBJECT, square(1, 1, 4)), "id": str(UUID(int=2)), "mask": _mask(0)}
    return {
        "/api/cases/1/operations": {"operations": [made, painted]},
        "/api/cases/1/predict": {"objects": [click, {**click, "previous": _mask(0), "box": [1, 1, 9, 9]}]},
        "/api/cases/1/refine": {"objects": [{**click, "before": _mask(0), "after": _mask(2)}]},
    }


RUNS = b"\x00\x04\x00\x04"
DOCUMENTS: dict[tuple[str, str], Any] = {
    ("POST", "/api/cases/1/comments"): {"text": "hello"},
    ("POST", "/api/cases/1/time"): {"intervals": [{"tool": "brush", "start": 1, "seconds": 1.5}]},
    ("POST", "/api/cases/1/number"): {"objects": [{"id": OBJECT, "box": [1, 1, 9, 9]}]},
    ("POST", "/api/cases/1/open"): {"following": [2]},
    ("PUT", "/api/schema"): {"labels": [{"name": "11", "title": "11", "kind": "tooth", "colour": "#ff0000"}]},
    ("PUT", "/api/proposals"): {"on": True},
    ("POST", "/api/import/coco"): COCO,
    ("POST", "/infer/small?image=a"): {"foreground": [[1, 2]], "background": [], "label": "11"},
}


def _envelope(rng: Random) -> tuple[str, str, bytes, str, str]:
    documents = _enveloped()
    path = rng.choice(sorted(documents))
    text, how = bend_document(rng, documents[path])
    runs = RUNS if rng.random() < 0.8 else rng.randbytes(rng.choice((0, 1, 5)))
    body = b"DSM1" + len(text).to_bytes(4, "little") + text + runs
    if rng.random() < 0.2:
        body, more = bend_bytes(rng, body)
        how += f", {more}"
    return "POST", path, body, ENVELOPE, how


def _document(rng: Random) -> tuple[str, str, bytes, str, str]:
    method, path = rng.choice(sorted(DOCUMENTS))
    body, how = bend_document(rng, DOCUMENTS[method, path])
    if path.startswith("/infer") and rng.random() < 0.5:
        part = b'--x\r\nContent-Disposition: form-data; name="params"\r\n\r\n' + body + b"\r\n"
        body = part * rng.choice((1, 1, 2, 500)) + b"--x--\r\n"
        if rng.random() < 0.3:
            body, more = bend_bytes(rng, body)
            how += f", {more}"
        return method, path, body, "multipart/form-data; boundary=x", f"form: {how}"
    return method, path, body, rng.choice(("application/json",) * 5 + ("text/plain", "x")), how


def _file(rng: Random) -> tuple[str, str, bytes, str, str]:
    """A file to import or to add."""
    route = rng.choice(("/api/import", "/api/images"))
    name = rng.choice(NAMES)
    if route == "/api/images":
        body, how = bend_png(rng, _picture())
    elif rng.random() < 0.5:
        body, how = bend_document(rng, COCO)
    else:
        file = BytesIO()
        with ZipFile(file, "w") as archive:
            archive.writestr(ZipInfo("a.json"), json.dumps(COCO))
        body, how = bend_zip(rng, file.getvalue())
    media = rng.choice(("application/octet-stream",) * 5 + ("image/png", "application/dicom", "multipart/form-data"))
    return "POST", f"{route}?name={quote(name)}", body, media, how


def _picture() -> bytes:
    file = BytesIO()
    Image.fromarray(gray8()).save(file, "PNG")
    return file.getvalue()


def _request(rng: Random) -> dict[str, Any]:
    """A request as JSON values: method, path, headers, and the body's bytes as latin-1 text."""
    draw = rng.random()
    if draw < 0.2:
        method, path, body, media, how = "GET", rng.choice(READ), b"", "", ""
    else:
        method, path, body, media, how = rng.choice((_envelope, _envelope, _document, _document, _file))(rng)
    headers = {"Content-Type": media} if media else {}
    if rng.random() < 0.15:
        path = path.replace("/1", "/" + rng.choice(PARTS), 1)
    if rng.random() < 0.1:
        path += ("&" if "?" in path else "?") + rng.choice(
            ("finished=x", "format=x", "numbering=x", "name=" + quote("../x\x00"), "a=" + "b" * 3000, "%ff=%ff")
        )
    if rng.random() < 0.8:
        headers["If-Match"] = rng.choice(('"0"',) * 5 + ('"1"', '"x"', "*", '"' + "9" * 30 + '"', 'W/"0"', ""))
    if rng.random() < 0.1:
        name = rng.choice(("X-Workspace", "X-Annotator", "X-File-Name", "Cookie", "Range", "Accept", "If-None-Match"))
        headers[name] = rng.choice(("", "x", "%ff%00", "bytes=0-1", "9" * 900, "a=b; dentasam=\x7f", "é"))
    if rng.random() < 0.03:
        method = rng.choice(("DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "X"))
    return {"method": method, "path": path, "headers": headers, "body": body.decode("latin-1"), "how": how}


def build_requests(folder: Path) -> None:
    """The requests are made when they are bent; nothing is kept."""
    (folder / "requests.json").write_text("[]", "utf-8")


def bend_requests(rng: Random, folder: Path) -> Bent:
    requests = [_request(rng) for _ in range(REQUESTS)]
    path = folder / "requests.json"
    path.write_text(json.dumps(requests, indent=1), "utf-8")
    return Bent(folder, path, f"{REQUESTS} requests, see requests.json")


def send_requests(bent: Bent) -> None:
    """An answer of 500, or a detail that is no plain line, ends the case."""
    with tempfile.TemporaryDirectory() as temporary, running(folder_of_images(Path(temporary) / "images")) as server:
        for request in json.loads(bent.file.read_text("utf-8")):
            where = f"{request['method']} {request['path'][:80]}: {request['how']}"
            answer = server.client.request(
                request["method"],
                request["path"],
                content=request["body"].encode("latin-1"),
                headers={name: value.encode("utf-8") for name, value in request["headers"].items()},
            )
            assert answer.status_code != 500, f"{where}: {answer.status_code} {answer.text[:200]}"
            if (
                answer.status_code >= 400
                and answer.content
                and answer.headers.get("content-type", "").startswith("application/json")
            ):
                detail = answer.json()["detail"]
                assert isinstance(detail, str), f"{where}: {detail!r}"
                assert len(detail) <= 500, f"{where}: a detail of {len(detail)} characters"
                assert detail.isprintable(), f"{where}: {detail!r}"
