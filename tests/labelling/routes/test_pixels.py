"""An image's pixels and thumbnail, also after its file was replaced."""

import hashlib
import io
import os

import numpy as np
import pytest
from PIL import Image

from dentasam.labelling.wire.box_mask import BoxMask

from ..running import HEIGHT, WIDTH, Running, opened, square


@pytest.mark.parametrize(("case", "name", "kind"), [(1, "a.png", "u1"), (2, "b.png", "<u2")])
def test_pixels_are_those_of_the_file(server: Running, case: int, name: str, kind: str) -> None:
    answer = server.client.get(f"/api/cases/{case}/pixels")
    stored = np.asarray(Image.open(server.workspace.folder / name))
    np.testing.assert_array_equal(np.frombuffer(answer.content, kind).reshape(HEIGHT, WIDTH), stored)
    headers = answer.headers
    assert (headers["x-image-width"], headers["x-image-height"]) == (str(WIDTH), str(HEIGHT))
    assert headers["x-image-bits"] == ("8" if kind == "u1" else "16")
    assert 0 <= int(headers["x-image-low"]) < int(headers["x-image-high"]) <= int(stored.max()) + 255
    assert headers["content-type"] == "application/octet-stream"
    assert headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("route", ["pixels", "thumbnail"])
def test_an_image_is_sent_again_only_when_it_has_changed(server: Running, route: str) -> None:
    path = f"/api/cases/1/{route}"
    tag = server.client.get(path).headers["etag"]
    again = server.client.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert server.client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(server.workspace.folder / "a.png")
    changed = server.client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_an_image_of_another_size_is_not_shown_under_old_masks(server: Running) -> None:
    Image.fromarray(np.zeros((10, 10), np.uint8)).save(server.workspace.folder / "a.png")
    assert server.client.get("/api/cases/1/pixels").status_code == 410


@pytest.mark.parametrize("kind", ["pixels", "thumbnail"])
def test_a_picture_replaced_under_its_date_has_another_tag(server: Running, kind: str) -> None:
    path = server.workspace.folder / "a.png"
    first, before = server.client.get(f"/api/cases/1/{kind}"), path.stat()
    unchanged = server.client.get(f"/api/cases/1/{kind}", headers={"If-None-Match": first.headers["etag"]})
    assert unchanged.status_code == 304
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = server.client.get(f"/api/cases/1/{kind}", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
    assert changed.content != first.content


def test_pixels_picture_and_answers_name_the_same_hash_of_the_file(server: Running) -> None:
    path = server.workspace.folder / "a.png"
    for pixels in (np.asarray(Image.open(path)), np.zeros((HEIGHT, WIDTH), np.uint8)):
        Image.fromarray(pixels).save(path)
        expected = hashlib.sha256(path.read_bytes()).hexdigest()
        assert server.client.get("/api/cases/1/pixels").headers["x-image-picture"] == expected
        assert server.client.get("/api/cases/1/picture").json() == {"picture": expected, "problem": None}
        predict = {"objects": [{"id": "a", "clicks": [[10, 10, 1]]}]}
        assert opened(server.post("/api/cases/1/predict", predict))["picture"] == expected
        refine = {"objects": [{"id": "a", "before": BoxMask.empty(), "after": square(1, 1, 4)}]}
        assert opened(server.post("/api/cases/1/refine", refine))["picture"] == expected


def test_what_is_wrong_with_a_replaced_picture_is_said(server: Running) -> None:
    path = server.workspace.folder / "a.png"
    Image.fromarray(np.zeros((HEIGHT, WIDTH + 1), np.uint8)).save(path)
    found = server.client.get("/api/cases/1/picture").json()
    assert found["picture"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found["problem"].startswith("a.png is now another picture of 61x40 pixels")
    answer = server.client.get("/api/cases/1/pixels")
    assert (answer.status_code, answer.json()["detail"]) == (410, found["problem"])
    path.write_bytes(b"no picture")
    assert "a.png" in server.client.get("/api/cases/1/picture").json()["problem"]
    path.unlink()
    assert server.client.get("/api/cases/1/picture").json() == {
        "picture": None,
        "problem": "a.png cannot be read any more; put the file back and load the page again",
    }
    assert server.client.get("/api/cases/99/picture").status_code == 404


def test_the_thumbnail_is_a_small_png(server: Running) -> None:
    answer = server.client.get("/api/cases/2/thumbnail")
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (240, 160)
