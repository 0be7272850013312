"""What the routes take and give, over a real database and a stand-in for the model."""

import csv
import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from dentasam.data.dataset import Dataset
from dentasam.labelling.auth.middleware import IMAGE_BODY_BYTES, MASK_BODY_BYTES
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.wire.envelope import MEDIA_TYPE, pack
from dentasam.labelling.workspace.tidy_sizes import DEFAULT_HOLES
from dentasam.labelling.workspace.workspace import Workspace

from ..running import HEIGHT, WIDTH, Running, folder_of_images, opened, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(folder_of_images(tmp_path / "images")) as server:
        yield server


def square(x: int, y: int, side: int) -> BoxMask:
    return BoxMask(x, y, np.ones((side, side), bool))


def create(object: str, **data: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "kind": "create",
        "object": object,
        "time": 1,
        "data": {"source": "manual", **data},
    }


def masked(object: str, mask: BoxMask, **more: Any) -> dict[str, Any]:
    operation = {"id": str(uuid4()), "kind": "mask", "object": object, "time": 2, "data": {"tool": "brush"}}
    return {**operation, "mask": mask, **more}


def test_session(server: Running) -> None:
    answer = server.client.get("/api/session").json()
    assert answer["annotator"] == "me"
    assert answer["workspace"] == (server.workspace.root / "id").read_text().strip()
    assert answer["folder"] == "images"
    assert answer["model"] == {"name": "small", "sha256": "0" * 64, "adapter": None, "adapter_sha256": None}
    assert answer["idle_seconds"] == 30
    assert answer["limits"] == {
        "pixels": 100_000_000,
        "body_bytes": MASK_BODY_BYTES,
        "image_bytes": IMAGE_BODY_BYTES,
    }
    assert answer["no_images"] is None
    assert answer["sign_out"] is False
    assert len(answer["schema"]["labels"]) == 58
    assert answer["schema"]["labels"][0]["name"] == "11"


def test_the_worklist(server: Running) -> None:
    first, second = server.client.get("/api/cases").json()
    assert (first["name"], first["width"], first["height"], first["bits"]) == ("a.png", WIDTH, HEIGHT, 8)
    assert (second["name"], second["bits"]) == ("b.png", 16)
    assert (first["encoded"], second["encoded"]) == (True, False)
    assert (first["status"], first["revision"], first["objects"], first["comments"]) == ("new", 0, 0, 0)
    server.store.set_uncertainty(1, 0.25)
    assert server.client.get("/api/cases").json()[0]["uncertainty"] == 0.25


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


def test_operations_come_back_as_they_were_sent(server: Running) -> None:
    tooth, mask, painted = str(uuid4()), square(3, 4, 5), square(3, 4, 2)
    sent = [create(tooth, category="36"), masked(tooth, mask, painted=painted)]
    answer = server.append(sent, 0)
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, {"revision": 2, "stored": 2}, '"2"')

    case = server.client.get("/api/cases/1")
    assert case.headers["etag"] == '"2"'
    document = opened(case)
    assert document["case"]["status"] == "in-progress"
    assert document["case"]["objects"] == 1
    (shown,) = document["objects"]
    assert (shown["id"], shown["category"], shown["area"], shown["annotator"]) == (tooth, "36", 25, "me")
    assert shown["mask"] == mask
    assert shown["painted"] == painted
    assert shown["erased"].area == 0

    log = opened(server.client.get("/api/cases/1/operations"))
    assert log["revision"] == 2
    assert [operation["id"] for operation in log["operations"]] == [operation["id"] for operation in sent]
    assert [operation["revision"] for operation in log["operations"]] == [1, 2]
    assert log["operations"][1]["mask"] == mask
    assert {operation["annotator"] for operation in log["operations"]} == {"me"}
    later = opened(server.client.get("/api/cases/1/operations?since=1"))
    assert [operation["id"] for operation in later["operations"]] == [sent[1]["id"]]
    assert opened(server.client.get("/api/cases/2"))["objects"] == []


def test_sending_again_stores_nothing_twice(server: Running) -> None:
    sent = [create(str(uuid4()))]
    server.append(sent, 0)
    again = server.append(sent, 0)
    assert (again.status_code, again.json()) == (200, {"revision": 1, "stored": 0})
    assert len(server.store.operations(1)) == 1


def test_a_stale_revision_is_a_conflict_that_shows_what_is_new(server: Running) -> None:
    mine, theirs, other = str(uuid4()), str(uuid4()), str(uuid4())
    server.append([create(other)], 0)
    unseen = [create(theirs), masked(theirs, square(1, 2, 3))]
    server.append(unseen, 1)
    answer = server.append([create(mine)], 1)
    assert (answer.status_code, answer.headers["etag"]) == (409, '"3"')
    document = opened(answer)
    assert document["revision"] == 3
    assert [operation["id"] for operation in document["operations"]] == [operation["id"] for operation in unseen]
    assert document["operations"][1]["mask"] == square(1, 2, 3)
    assert [shown["id"] for shown in document["objects"]] == [theirs]
    assert document["objects"][0]["mask"] == square(1, 2, 3)
    assert mine not in server.store.state(1).objects
    assert server.append([create(mine)], 3).status_code == 200


def test_of_two_writers_at_once_one_wins(server: Running) -> None:
    objects = [str(uuid4()) for _ in range(8)]
    statuses: list[int] = []

    def write(object: str) -> None:
        statuses.append(server.append([create(object)], 0).status_code)

    threads = [threading.Thread(target=write, args=(object,)) for object in objects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 7
    assert server.store.case(1).revision == 1


def test_a_write_names_the_revision_it_saw(server: Running) -> None:
    document = {"operations": [create(str(uuid4()))]}
    without = server.post("/api/cases/1/operations", document)
    assert without.status_code == 428
    for wrong in ("0", "*", 'W/"0"', '"x"', '"-1"', '"0", "1"', '""'):
        assert server.post("/api/cases/1/operations", document, If_Match=wrong).status_code == 422, wrong
    assert server.store.case(1).revision == 0


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"operations": {}},
        {"operations": [], "more": 1},
        {"operations": [{"kind": "explode"}]},
        {"operations": [create("no uuid")]},
        {"operations": [{**create(str(uuid4())), "html": "<b>"}]},
        {"operations": [create(str(uuid4()), category="x" * 300)]},
        {"operations": [create(str(uuid4()), category="a\x00b")]},
        {"operations": [masked(str(uuid4()), square(0, 0, 2))]},
        {"operations": [{**create(str(uuid4())), "mask": square(WIDTH - 1, 0, 2)}]},
        {"operations": [{**create(str(uuid4())), "id": 7}]},
        {"operations": [create(str(uuid4()))] * 2001},
    ],
)
def test_operations_that_are_refused(server: Running, document: Any) -> None:
    answer = server.post("/api/cases/1/operations", document, If_Match='"0"')
    assert answer.status_code == 422, answer.text
    assert len(answer.json()["detail"].splitlines()) == 1
    assert server.store.case(1).revision == 0


def test_a_body_that_is_too_large_is_refused(server: Running) -> None:
    headers = {"Content-Type": MEDIA_TYPE, "If-Match": '"0"', "Content-Length": str(MASK_BODY_BYTES + 1)}
    answer = server.client.post("/api/cases/1/operations", content=b"DSM1", headers=headers)
    assert answer.status_code == 413
    assert answer.json()["detail"] == f"the body is too large; at most {MASK_BODY_BYTES} bytes are taken here"


def test_predict(server: Running) -> None:
    previous = square(1, 1, 4)
    wanted = [
        {"id": "one", "clicks": [[10.5, 20, 1], [30, 20.25, 0]], "box": None, "previous": previous},
        {"id": "two", "clicks": [], "box": [5, 6, 15, 16], "painted": square(0, 0, 2), "erased": None},
    ]
    document = opened(server.post("/api/cases/1/predict", {"objects": wanted}))
    assert [found["id"] for found in document["objects"]] == ["one", "two"]
    assert document["objects"][1]["mask"] == square(5, 6, 10)
    assert document["objects"][0]["score"] == 0.75
    assert document["model"]["name"] == "small"
    assert document["seconds"] == {"encode": 0.25, "decode": 0.5}
    ((case, (one, two)),) = server.model.asked
    assert case == 1
    assert [tuple(click) for click in one.clicks] == [(10.5, 20, 1), (30, 20.25, 0)]
    assert one.previous == previous
    assert (two.box, two.painted, two.erased) == ((5, 6, 15, 16), square(0, 0, 2), None)


def test_refine(server: Running) -> None:
    after = square(2, 2, 6)
    wanted = [{"id": "one", "before": square(2, 2, 4), "after": after, "painted": after, "clicks": [[3, 3, 1]]}]
    document = opened(server.post("/api/cases/2/refine", {"objects": wanted}))
    (found,) = document["objects"]
    assert found["mask"] == after
    assert found["clicks"] == [[3, 3, 1], [3, 4, 1]]
    ((case, (asked,)),) = server.model.asked
    assert (case, asked.before, asked.after, asked.erased) == (2, square(2, 2, 4), after, None)


@pytest.mark.parametrize(
    ("route", "document"),
    [
        ("predict", {"objects": []}),
        ("predict", {"objects": [{"id": "one"}]}),
        ("predict", {"objects": [{"id": "one", "clicks": [[1, 2, 3]]}]}),
        ("predict", {"objects": [{"id": "one", "clicks": [[1, 2]]}]}),
        ("predict", {"objects": [{"id": "one", "clicks": [[1e300, 2, 1]]}]}),
        ("predict", {"objects": [{"id": "../one", "clicks": [[1, 2, 1]]}]}),
        ("predict", {"objects": [{"id": "one", "clicks": [[1, 2, 1]], "url": "http://evil.example"}]}),
        ("predict", {"objects": [{"id": "one", "clicks": [[1, 2, 1]], "previous": square(0, HEIGHT - 1, 2)}]}),
        ("predict", {"objects": [{"id": str(n), "clicks": [[1, 2, 1]]} for n in range(257)]}),
        ("refine", {"objects": [{"id": "one", "before": None, "after": None}]}),
        ("refine", {"objects": [{"id": "one", "before": square(0, 0, 1)}]}),
        ("refine", 7),
    ],
)
def test_questions_to_the_model_that_are_refused(server: Running, route: str, document: Any) -> None:
    answer = server.post(f"/api/cases/1/{route}", document)
    assert answer.status_code == 422, answer.text
    assert "evil" not in answer.text


def test_opening_a_case_names_the_next_ones(server: Running) -> None:
    assert server.client.post("/api/cases/1/open").status_code == 204
    assert server.client.post("/api/cases/2/open").status_code == 204
    assert server.model.opened == [(1, [2]), (2, [])]
    assert server.client.post("/api/cases/3/open").status_code == 404


def test_progress(server: Running) -> None:
    server.model.failed = {2: f"{server.workspace.folder / 'b.png'} is damaged\nor truncated"}
    assert server.client.get("/api/progress").json() == {
        "encoded": 1,
        "total": 2,
        "current": "b.png",
        "workspace": server.workspace.id,
        "annotator": "me",
        "worklist": 0,
        "failed": [{"id": 2, "name": "b.png", "message": "b.png is damaged or truncated"}],
    }


def test_comments_are_plain_text(server: Running) -> None:
    text = "Apex of 36?\n<script>alert(1)</script>"
    made = server.client.post("/api/cases/1/comments", json={"text": text})
    assert made.status_code == 201
    assert (made.json()["text"], made.json()["annotator"]) == (text, "me")
    assert server.client.get("/api/cases/1/comments").json() == [made.json()]
    assert opened(server.client.get("/api/cases/1"))["comments"] == [made.json()]
    assert made.headers["content-type"] == "application/json"
    assert server.client.get("/api/cases").json()[0]["comments"] == 1
    for refused in ("", " \n", "x" * 5001, "a\x00b", "a\x1b[31mb", None, 7):
        assert server.client.post("/api/cases/1/comments", json={"text": refused}).status_code == 422, refused


def test_time_is_added_up(server: Running) -> None:
    intervals: list[dict[str, Any]] = [
        {"tool": "brush", "object": None, "start": 1_700_000_000_000, "seconds": 4.5},
        {"tool": "click", "object": str(uuid4()), "start": 1_700_000_010_000, "seconds": 2},
    ]
    for _ in range(2):
        assert server.client.post("/api/cases/1/time", json={"intervals": intervals}).status_code == 204
    assert server.client.get("/api/cases").json()[0]["active_seconds"] == pytest.approx(6.5)
    table = server.client.get("/api/export/timing")
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert sum(float(row["seconds"]) for row in rows if row["scope"] == "case") == pytest.approx(6.5)
    changes: tuple[dict[str, Any], ...] = (
        {"seconds": -1}, {"seconds": 1e9}, {"start": -1}, {"tool": "<b>"}, {"tool": ""}, {"object": "a b"}
    )  # fmt: skip
    for wrong in changes:
        given = {"intervals": [{**intervals[0], **wrong}]}
        assert server.client.post("/api/cases/1/time", json=given).status_code == 422, wrong


def test_the_schema_can_be_replaced(server: Running) -> None:
    schema = {"labels": [{"name": "bone", "title": "Bone", "kind": "other", "colour": "#D55E00"}]}
    answer = server.client.put("/api/schema", json=schema)
    assert answer.status_code == 200
    assert answer.json()["labels"][0]["colour"] == "#d55e00"
    assert server.client.get("/api/session").json()["schema"] == answer.json()
    assert "bone" in (server.workspace.root / "schema.yaml").read_text(encoding="utf-8")
    grey = {"labels": [{**schema["labels"][0], "colour": "#808080"}]}
    refused: tuple[dict[str, Any], ...] = ({}, {"labels": []}, grey)
    for wrong in refused:
        assert server.client.put("/api/schema", json=wrong).status_code == 422, wrong


def test_exports_hold_what_was_labelled(server: Running, tmp_path: Path) -> None:
    tooth = str(uuid4())
    server.append([create(tooth, category="36"), masked(tooth, square(3, 4, 5))], 0)
    coco = server.client.get("/api/export/coco")
    assert coco.headers["content-disposition"] == 'attachment; filename="labels.json"'
    written = server.workspace.folder / "labels.json"
    written.write_text(coco.text)
    first, second = Dataset.load(written).images
    assert [(each.category, each.area) for each in first.objects] == [("36", 25)]
    np.testing.assert_array_equal(first.objects[0].mask(HEIGHT, WIDTH), square(3, 4, 5).on_image(HEIGHT, WIDTH))
    assert second.objects == ()

    archive = zipfile.ZipFile(io.BytesIO(server.client.get("/api/export/png").content))
    (name,) = archive.namelist()
    assert name.endswith("/00001_36.png")
    picture = np.asarray(Image.open(archive.open(name)))
    np.testing.assert_array_equal(picture > 0, square(3, 4, 5).on_image(HEIGHT, WIDTH))

    lines = server.client.get("/api/export/log").text.splitlines()
    assert [json.loads(line)["object"] for line in lines] == [tooth]


def test_exports_of_finished_cases_alone(server: Running) -> None:
    ids = {}
    for case, status in ((1, "done"), (2, "needs-review")):
        ids[case] = str(uuid4())
        change = {"id": str(uuid4()), "kind": "status", "object": None, "time": 3, "data": {"status": status}}
        drawn = masked(ids[case], square(3, 4, 5))
        server.append([create(ids[case], category="36"), drawn, change], 0, case)

    def exported(query: str) -> tuple[list[str], int, list[str]]:
        coco, archive, log = (server.client.get(f"/api/export/{kind}{query}") for kind in ("coco", "png", "log"))
        names = [image["file_name"] for image in coco.json()["images"]]
        masks = len(zipfile.ZipFile(io.BytesIO(archive.content)).namelist())
        return names, masks, [json.loads(line)["object"] for line in log.text.splitlines()]

    assert exported("?finished=true") == (["a.png"], 1, [ids[1]])
    assert exported("?finished=false") == exported("") == (["a.png", "b.png"], 2, [ids[1], ids[2]])
    assert server.client.get("/api/export/coco?finished=perhaps").status_code == 422


def test_coco_comes_in_as_pre_annotations(server: Running) -> None:
    mask = [[2.0, 2.0, 12.0, 2.0, 12.0, 10.0, 2.0, 10.0]]
    document = {
        "images": [{"id": 5, "file_name": "b.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "36"}],
        "annotations": [{"id": 1, "image_id": 5, "category_id": 1, "segmentation": mask, "bbox": [2, 2, 10, 8]}],
    }
    nothing = {"images": 0, "objects": 0, "entries": []}
    answer = server.client.post("/api/import/coco", json=document)
    assert (answer.status_code, answer.json()) == (200, {"objects": 1, "cases": 1, "passed_over": nothing})
    (shown,) = opened(server.client.get("/api/cases/2"))["objects"]
    assert (shown["category"], shown["source"], shown["area"]) == ("36", "import", 80)
    again = server.client.post("/api/import/coco", json=document).json()
    assert again == {"objects": 0, "cases": 0, "passed_over": nothing}


def test_an_import_answers_what_it_passed_over(server: Running) -> None:
    mask = [[2.0, 2.0, 12.0, 2.0, 12.0, 10.0, 2.0, 10.0]]
    common = {"image_id": 5, "category_id": 1}
    document = {
        "images": [
            {"id": 5, "file_name": "b.png", "width": WIDTH, "height": HEIGHT},
            {"id": 6, "file_name": "elsewhere.png", "width": 9, "height": 9},
        ],
        "categories": [{"id": 1, "name": 36}],
        "annotations": [
            common | {"id": 1, "segmentation": mask, "iscrowd": 0},
            common | {"id": 2, "bbox": [2, 2, 10, 8]},
            common | {"id": 3, "segmentation": mask, "iscrowd": 1},
            common | {"id": 4, "segmentation": mask, "image_id": 6},
        ],
    }
    answer = server.client.post("/api/import/coco", json=document).json()
    assert (answer["objects"], answer["cases"]) == (1, 1)
    assert (answer["passed_over"]["images"], answer["passed_over"]["objects"]) == (1, 3)
    named = {(entry["image"], entry["annotation"]): entry["reason"] for entry in answer["passed_over"]["entries"]}
    assert named.keys() == {("elsewhere.png", None), ("b.png", 2), ("b.png", 3)}
    assert named["elsewhere.png", None] == "it is not in the worklist"
    assert "no mask" in named["b.png", 2]
    assert "iscrowd" in named["b.png", 3]


def test_a_case_that_is_no_longer_in_the_folder_is_not_served(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    with running(folder):
        pass
    (folder / "a.png").unlink()
    with running(folder) as server:
        assert [case["name"] for case in server.client.get("/api/cases").json()] == ["b.png"]
        assert server.client.get("/api/cases/1").status_code == 404
        assert server.client.get("/api/cases/2").status_code == 200


def test_a_workspace_serves_only_its_own_images(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    with running(folder) as server, pytest.raises(Exception, match="in use"):
        Workspace.open(server.workspace.folder)


def test_envelopes_are_packed_anew(server: Running) -> None:
    assert server.client.get("/api/cases/1").content == pack(opened(server.client.get("/api/cases/1")))


def test_a_pause_beyond_the_idle_cut_off_does_not_count(tmp_path: Path) -> None:
    with running(folder_of_images(tmp_path / "images")) as server:
        interval = {"tool": "brush", "object": None, "start": 1_700_000_000_000, "seconds": 3600}
        server.client.post("/api/cases/1/time", json={"intervals": [interval]})
        assert server.client.get("/api/cases").json()[0]["active_seconds"] == pytest.approx(30)


def test_the_label_of_an_object_says_what_is_tidied_in_its_mask(server: Running) -> None:
    schema = server.client.get("/api/session").json()["schema"]
    schema["tidy"] = {"islands": 30}
    schema["labels"][0]["tidy"] = {"holes": 0}
    assert server.client.put("/api/schema", json=schema).status_code == 200
    name = schema["labels"][0]["name"]
    asked = [{"id": "a", "clicks": [[3, 4, 1]], "category": name}, {"id": "b", "clicks": [[3, 4, 1]]}]
    assert server.post("/api/cases/1/predict", {"objects": asked}).status_code == 200
    first, second = server.model.tidied[-1]
    assert (first.islands, first.holes) == (30, 0)
    assert (second.islands, second.holes) == (30, DEFAULT_HOLES)
