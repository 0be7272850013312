"""Bent requests to the labelling server's application, in process."""

import json
import tempfile
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import UUID

from ..labelling.running import create, folder_of_images, masked, running, square
from .benders.documents import bend_document
from .benders.raw import bend_bytes
from .kind import Bent

REQUESTS = 12  # of one case: the application takes longer to make than a request
ENVELOPE = "application/vnd.dentasam.masks"
PATHS = ("", "0", "1", "-1", "99999999999999999999", "1e400", "%00", "..%2f..", "a\u202e", "1" * 5000, "NaN")


def _documents() -> dict[tuple[str, str], Any]:
    """A valid body for each route that takes one, before it is bent; None for a route without."""
    object = "00000000-0000-4000-9000-000000000001"
    click = {"id": object, "clicks": [[10.0, 12.0, 1]], "category": "11"}
    mask = {"x": 1, "y": 2, "width": 2, "height": 2, "offset": 0, "length": 2}
    made = {**create(object, category="11"), "id": str(UUID(int=1))}
    painted = {**masked(object, square(1, 1, 4)), "id": str(UUID(int=2)), "mask": mask}
    return {
        ("POST", "/api/cases/1/operations"): {"operations": [made, painted]},
        ("POST", "/api/cases/1/predict"): {"objects": [click]},
        ("POST", "/api/cases/1/refine"): {"objects": [{**click, "before": mask, "after": mask}]},
        ("POST", "/api/cases/1/comments"): {"text": "hello"},
        ("POST", "/api/cases/1/time"): {"intervals": [{"tool": "brush", "start": 1, "seconds": 1.5}]},
        ("POST", "/api/cases/1/number"): {"objects": [{"id": object, "box": [1, 1, 9, 9]}]},
        ("POST", "/api/cases/1/open"): {"following": [2]},
        ("PUT", "/api/schema"): {"labels": [{"name": "11", "title": "11", "kind": "tooth", "colour": "#ff0000"}]},
        ("PUT", "/api/proposals"): {"on": True},
        ("POST", "/api/import/coco"): {
            "images": [{"id": 1, "file_name": "a.png", "width": 60, "height": 40}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]], "bbox": [1, 1, 8, 8]}
            ],
            "categories": [{"id": 1, "name": "11"}],
        },
        ("POST", "/api/import"): None,
        ("POST", "/api/images"): None,
        ("POST", "/infer/dentasam"): {"image": "a", "foreground": [[1, 2]]},
        ("POST", "/login"): {"name": "me", "password": "x" * 9},
        ("GET", "/api/cases/1"): None,
        ("GET", "/api/cases/1/log"): None,
        ("GET", "/api/cases/1/pixels"): None,
        ("GET", "/api/cases/1/picture"): None,
        ("GET", "/api/export/coco"): None,
        ("GET", "/api/export/labelme"): None,
        ("GET", "/api/progress"): None,
        ("GET", "/info/"): None,
    }


def _request(rng: Random) -> dict[str, Any]:
    """A request as JSON values: method, path, headers, and the body's bytes as latin-1 text."""
    documents = _documents()
    method, path = rng.choice(sorted(documents))
    document = documents[method, path]
    headers: dict[str, str] = {}
    if document is not None:
        body, how = bend_document(rng, document)
        if rng.random() < 0.7 and any(part in path for part in ("operations", "predict", "refine")):
            runs = b"\x00\x04" if rng.random() < 0.7 else rng.randbytes(rng.choice((0, 1, 5)))
            body = b"DSM1" + len(body).to_bytes(4, "little") + body + runs
            headers["Content-Type"] = ENVELOPE
            if rng.random() < 0.2:
                body, more = bend_bytes(rng, body)
                how += f", {more}"
        else:
            headers["Content-Type"] = rng.choice(("application/json", "application/json", "text/plain", "x"))
    else:
        body, how = (rng.randbytes(rng.choice((0, 10, 5000))), "random bytes") if method != "GET" else (b"", "")
        headers["Content-Type"] = rng.choice(
            ("multipart/form-data; boundary=x", "multipart/form-data", "application/octet-stream", "image/png")
        )
        if "multipart" in headers["Content-Type"] and method != "GET":
            name = rng.choice(("a.png", "../a.png", "a\x00.png", "x" * 400, ""))
            part = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
            body = part.encode() * rng.choice((1, 1, 40)) + body + b"\r\n--x--\r\n"
    if rng.random() < 0.25:
        path = path.replace("/1", "/" + rng.choice(PATHS), 1)
    if rng.random() < 0.2:
        path += "?" + rng.choice(
            ("finished=x", "format=x", "name=" + quote("../x\x00"), "a=" + "b" * 3000, "%ff=%ff")
        )
    if rng.random() < 0.7:
        headers["If-Match"] = rng.choice(('"0"', '"0"', '"1"', '"x"', "*", '"' + "9" * 30 + '"', 'W/"0"', ""))
    if rng.random() < 0.2:
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
            if answer.status_code >= 400 and answer.headers.get("content-type", "").startswith("application/json"):
                detail = answer.json()["detail"]
                assert isinstance(detail, str), f"{where}: {detail!r}"
                assert len(detail) <= 500, f"{where}: a detail of {len(detail)} characters"
                assert detail.isprintable(), f"{where}: {detail!r}"
