"""Labels as files, and labels from a COCO file."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from dentasam.data.dataset import Dataset
from dentasam.data.formats.catalogue import Format
from dentasam.labelling.log.database.transactions import writing

from ..running import HEIGHT, WIDTH, Running, create, masked, opened, square


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


def test_exports_without_a_damaged_object_say_so(server: Running) -> None:
    whole, damaged = str(uuid4()), str(uuid4())
    drawn = [create(id, category="36") for id in (whole, damaged)]
    server.append([*drawn, *(masked(id, square(3, 4, 5)) for id in (whole, damaged))], 0)
    with writing(server.store.engine) as connection:
        for table, of in (("objects", "id"), ("operations", "object_id")):
            connection.exec_driver_sql(f"UPDATE {table} SET checksum = 7 WHERE {of} = ?", (damaged,))
    line = f"a.png: object 36 ({damaged}): its row in the database is damaged"
    coco = server.client.get("/api/export/coco")
    assert [each["object"] for each in coco.json()["annotations"]] == [whole]
    assert coco.json()["info"]["damaged"] == [line]
    assert unquote(coco.headers["x-damaged"]) == f"1 left out: {line}"
    archive = zipfile.ZipFile(io.BytesIO(server.client.get("/api/export/png").content))
    assert archive.read("DAMAGED.txt").decode() == f"{line}\n"
    log = server.client.get("/api/export/log")
    assert [json.loads(entry)["object"] for entry in log.text.splitlines()] == [whole]
    assert damaged in log.headers["x-damaged"]
    assert damaged in server.client.get("/api/export/timing").headers["x-damaged"]
    # The case opens, and work on the other object is taken.
    assert opened(server.client.get("/api/cases/1"))["damaged"] == [{"object": damaged, "label": "36", "what": line}]
    refused = server.append([masked(damaged, square(1, 1, 2))], 4)
    assert (refused.status_code, refused.json()["damaged"]) == (503, [damaged])
    assert line in refused.json()["detail"]
    assert server.append([masked(whole, square(1, 1, 2))], 4).status_code == 200


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
    assert (answer.status_code, answer.json()) == (
        200,
        {"objects": 1, "cases": 1, "passed_over": nothing, "notes": []},
    )
    (shown,) = opened(server.client.get("/api/cases/2"))["objects"]
    assert (shown["category"], shown["source"], shown["area"]) == ("36", "import", 80)
    again = server.client.post("/api/import/coco", json=document).json()
    assert again == {"objects": 0, "cases": 0, "passed_over": nothing, "notes": []}


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


def png_zip(masks: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("export/images/", b"")
        for name, mask in masks.items():
            coded = io.BytesIO()
            Image.fromarray(mask.astype(np.uint8) * 255).save(coded, "PNG")
            archive.writestr(f"export/masks/{name}", coded.getvalue())
    return file.getvalue()


def brought(server: Running, content: bytes, query: str) -> Any:
    headers = {"Content-Type": "application/octet-stream"}
    return server.client.post(f"/api/import?{query}", content=content, headers=headers)


def test_every_format_that_is_written_can_be_downloaded(server: Running) -> None:
    tooth = str(uuid4())
    server.append([create(tooth, category="36"), masked(tooth, square(3, 4, 5))], 0)
    listed = server.client.get("/api/formats").json()
    assert [each["name"] for each in listed] == list(Format)
    for each in listed:
        answer = server.client.get(f"/api/export/{each['name']}")
        if not each["writes"]:
            assert answer.status_code == 404
        elif each["name"] != "coco" and each["missing"] is None:
            assert answer.status_code == 200, each["name"]
            assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist(), each["name"]
    assert server.client.get("/api/export/nothing").status_code == 404
    renumbered = server.client.get("/api/export/png?numbering=universal")
    assert zipfile.ZipFile(io.BytesIO(renumbered.content)).namelist() == ["masks/a/00001_19.png", "numbering.json"]


def test_an_archive_of_masks_comes_in(server: Running) -> None:
    mask = square(3, 4, 5).on_image(HEIGHT, WIDTH)
    answer = brought(server, png_zip({"b/36.png": mask}), "name=masks.zip")
    assert (answer.status_code, answer.json().get("objects")) == (200, 1), answer.text
    (shown,) = opened(server.client.get("/api/cases/2"))["objects"]
    assert (shown["category"], shown["source"], shown["area"]) == ("36", "import", 25)
    assert brought(server, png_zip({"b/36.png": mask}), "name=masks.zip").json()["objects"] == 0
    # Labels of one image alone, and masks of an image that is not here.
    coded = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 37).save(coded, "PNG")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("labels/a.png", coded.getvalue())
    assert brought(server, file.getvalue(), "name=labels.zip").json()["objects"] == 1
    passed = brought(server, png_zip({"elsewhere/36.png": mask}), "name=masks.zip").json()
    assert (passed["objects"], passed["passed_over"]["images"]) == (0, 1)
    # What is in the archive is named as there, without a path of the server.
    wrong = brought(server, png_zip({"b/36.png": mask[1:]}), "name=masks.zip")
    assert wrong.status_code == 422
    assert wrong.json()["detail"].startswith("masks.zip/export/masks/b/36.png has ")


def test_a_file_that_is_no_annotation_is_refused(server: Running) -> None:
    for name, content in (("a.json", b"{"), ("a.json", b"[1, 2]"), ("a.txt", b"hello"), ("../../a.zip", b"PK\3\4no")):
        answer = brought(server, content, f"name={name}")
        assert answer.status_code == 422, (name, answer.text)
        assert "; " in answer.json()["detail"]
    assert brought(server, b"{}", "name=a.json&format=nothing").status_code == 422
    assert server.client.post("/api/import?name=a.json", json={}).status_code == 415


def labelme(label: str, image: str = "b.png", **more: Any) -> bytes:
    points = [[2, 2], [8, 2], [8, 8], [2, 8]]
    shapes: list[dict[str, Any]] = [
        {"label": label, "points": points, "group_id": None, "shape_type": "polygon", "flags": {}},
        {"label": label, "points": [[1, 1], [4, 4]], "group_id": None, "shape_type": "line", "flags": {}},
    ]
    size = {"imageHeight": HEIGHT, "imageWidth": WIDTH}
    common: dict[str, Any] = {"version": "5.5.0", "flags": {}, "imagePath": image, "imageData": None}
    return json.dumps(common | size | {"shapes": shapes} | more).encode()


def test_what_the_file_leaves_open_is_asked(server: Running) -> None:
    asked = brought(server, labelme("11"), "name=b.json")
    assert (asked.status_code, asked.json()["asks"]) == (422, "numbering")
    detail = asked.json()["detail"]
    assert detail.startswith("b.json: its names do not tell how its teeth are numbered")
    assert "--" not in detail
    assert "asks" not in brought(server, b"{", "name=b.json").json()
    answer = brought(server, labelme("11"), "name=b.json&numbering=universal").json()
    assert (answer["objects"], answer["notes"]) == (
        1,
        ["shapes of the type line left out, since they have no area: 1"],
    )
    (shown,) = opened(server.client.get("/api/cases/2"))["objects"]
    assert shown["category"] == "23"


def test_the_numbering_of_coco_goes_out_and_comes_back(server: Running) -> None:
    tooth = str(uuid4())
    server.append([create(tooth, category="36"), masked(tooth, square(3, 4, 5))], 0)
    written = server.client.get("/api/export/coco?numbering=universal").json()
    written["images"][0]["file_name"] = "b.png"
    for post in (
        lambda: server.client.post("/api/import/coco", json=written),
        lambda: brought(server, json.dumps(written).encode(), "name=set.json"),
    ):
        assert post().status_code == 200
        (shown,) = opened(server.client.get("/api/cases/2"))["objects"]
        assert shown["category"] == "36"
    del written["info"]
    written["categories"] = [{"id": item["category_id"], "name": "11"} for item in written["annotations"]]
    answer = brought(server, json.dumps(written).encode(), "name=set.json&numbering=universal")
    assert answer.json()["objects"] == 1
    assert {each["category"] for each in opened(server.client.get("/api/cases/2"))["objects"]} == {"36", "23"}


def test_nobody_learns_where_the_server_keeps_its_copies(server: Running) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.yaml", "nc: 1\nnames: {0: '36'}")
        archive.writestr("labels/elsewhere.txt", "0 0.1 0.1 0.2 0.1 0.2 0.2")
    answer = brought(server, file.getvalue(), "name=yolo.zip")
    assert answer.status_code == 200, answer.text
    assert [entry["image"] for entry in answer.json()["passed_over"]["entries"]] == ["yolo.zip/labels/elsewhere.txt"]
    alone = brought(server, b"names: {0: '36'}", "name=data.yaml&format=yolo")
    assert alone.status_code == 422
    assert "the folder of data.yaml" in alone.json()["detail"]
    assert "arriving" not in alone.json()["detail"]


def test_a_bad_upload_is_not_a_lost_image(server: Running) -> None:
    pytest.importorskip("highdicom")
    assert brought(server, b"{}", "name=a.json&format=dicom-seg").status_code == 422


def test_notes_are_bounded_and_counted(server: Running) -> None:
    shapes: list[dict[str, Any]] = [
        {"label": "36", "points": [[1, 1], [4, 4]], "group_id": None, "shape_type": f"kind {k}", "flags": {}}
        for k in range(30)
    ]
    notes = brought(server, labelme("36", shapes=shapes), "name=b.json").json()["notes"]
    assert len(notes) == 21
    assert notes[-1] == "and 10 more lines of this kind"
