"""Labels as files, and labels from a COCO file."""

import io
import json
import zipfile
from pathlib import Path
from uuid import uuid4

import numpy as np
from PIL import Image

from dentasam.data.dataset import Dataset

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
