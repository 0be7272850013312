"""Of two patients' images of one file name only one is there: no format puts the other's objects on it."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dentasam.data.dataset import Dataset
from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import import_dataset
from dentasam.data.teeth.numbering import Numbering

WIDTH, HEIGHT = 12, 8
POINTS = [[2, 2], [8, 2], [8, 6], [2, 6]]


def image(path: Path, value: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((HEIGHT, WIDTH), value, np.uint8)).save(path)
    return path


def text(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def cvat(root: Path, here: str, missing: str) -> None:
    image(root / "images" / here / "opg.png")
    points = ";".join(f"{x},{y}" for x, y in POINTS)
    images = "".join(
        f'<image id="{number}" name="{patient}/opg.png" width="{WIDTH}" height="{HEIGHT}">'
        f'<polygon label="36" points="{points}"></polygon></image>'
        for number, patient in enumerate(("p1", "p2"))
    )
    text(root / "annotations.xml", f"<annotations><version>1.1</version>{images}</annotations>")


def yolo(root: Path, here: str, missing: str) -> None:
    image(root / "images" / here / "opg.png")
    text(root / "data.yaml", "train: images\nnames: ['36']\n")
    for patient in ("p1", "p2"):
        row = " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in POINTS)
        text(root / "labels" / patient / "opg.txt", f"0 {row}\n")


def labelme(root: Path, here: str, missing: str) -> None:
    image(root / here / "opg.png")
    for patient in ("p1", "p2"):
        shape: dict[str, object] = {
            "label": "36",
            "points": POINTS,
            "group_id": None,
            "shape_type": "polygon",
            "flags": {},
        }
        content = {"shapes": [shape], "imagePath": "opg.png", "imageHeight": HEIGHT, "imageWidth": WIDTH}
        text(root / patient / "opg.json", content)


def supervisely(root: Path, here: str, missing: str) -> None:
    image(root / here / "img" / "opg.png")
    text(root / "meta.json", {"classes": [{"title": "36", "shape": "polygon"}], "tags": []})
    for patient in ("p1", "p2"):
        drawn: dict[str, object] = {
            "classTitle": "36",
            "geometryType": "polygon",
            "points": {"exterior": POINTS, "interior": []},
        }
        content = {"size": {"height": HEIGHT, "width": WIDTH}, "tags": [], "objects": [drawn]}
        text(root / patient / "ann" / "opg.png.json", content)


def nifti(root: Path, here: str, missing: str) -> None:
    nibabel = pytest.importorskip("nibabel")
    image(root / "images" / here / "opg.png")
    for patient in ("p1", "p2"):
        labels = np.zeros((WIDTH, HEIGHT, 1), np.uint8)
        labels[2:5, 2:5] = 1
        (root / "labels" / patient).mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), root / "labels" / patient / "opg.nii.gz")
    text(root / "labels.json", {"1": "36"})


def label_studio(root: Path, here: str, missing: str) -> None:
    image(root / here / "opg.png")
    value = {"points": [[x * 100 / WIDTH, y * 100 / HEIGHT] for x, y in POINTS], "polygonlabels": ["36"]}
    entry = {
        "id": "r",
        "type": "polygonlabels",
        "from_name": "label",
        "to_name": "image",
        "value": value,
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
    }
    addresses = (f"/data/local-files/?d={patient}/opg.png" for patient in ("p1", "p2"))
    tasks = [
        {"id": number, "data": {"image": address}, "annotations": [{"result": [entry]}]}
        for number, address in enumerate(addresses)
    ]
    text(root / "tasks.json", tasks)


SOURCES: dict[str, Callable[[Path, str, str], None]] = {
    "cvat": cvat,
    "yolo": yolo,
    "labelme": labelme,
    "supervisely": supervisely,
    "nifti": nifti,
    "label-studio": label_studio,
}


def imported(name: str, source: Path, out: Path) -> tuple[Dataset, list[str]]:
    lines: list[str] = []
    options = ImportOptions(numbering=Numbering.fdi, skip_bad=lines.append)
    return Dataset.load(import_dataset(name, source, out, options)), lines


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(("here", "missing"), [("p1", "p2"), ("p2", "p1")])
def test_the_objects_of_a_missing_image_are_left_out(tmp_path: Path, name: str, here: str, missing: str) -> None:
    SOURCES[name](tmp_path / "in", here, missing)
    dataset, lines = imported(name, tmp_path / "in", tmp_path / "out")
    (record,) = dataset.images
    assert record.path.parent.name == here or record.path.parent.parent.name == here
    assert len(record.objects) == 1
    (line,) = lines
    assert "opg" in line
    assert missing in line
    assert "; put it there, or name its folder with --images" in line
    # Both are taken when both are there.
    shutil.rmtree(tmp_path / "in")
    SOURCES[name](tmp_path / "in", here, missing)
    SOURCES[name](tmp_path / "other", missing, here)
    shutil.copytree(tmp_path / "other", tmp_path / "in", dirs_exist_ok=True)
    dataset, lines = imported(name, tmp_path / "in", tmp_path / "both")
    assert (len(dataset.images), lines) == (2, [])


def test_the_picture_inside_a_labelme_file_comes_before_that_of_another_folder(tmp_path: Path) -> None:
    labelme(tmp_path / "in", "p1", "p2")
    content = json.loads((tmp_path / "in" / "p2" / "opg.json").read_text())
    own = image(tmp_path / "own.png", 33).read_bytes()
    content["imageData"] = base64.b64encode(own).decode()
    text(tmp_path / "in" / "p2" / "opg.json", content)
    dataset, lines = imported("labelme", tmp_path / "in", tmp_path / "out")
    assert lines == []
    assert dataset.images[1].path.read_bytes() == own


def test_two_uploads_of_one_file_name_are_two_images(tmp_path: Path) -> None:
    label_studio(tmp_path / "in", "", "")
    path = tmp_path / "in" / "tasks.json"
    uploads = path.read_text().replace("/data/local-files/?d=p1/", "/data/upload/1/cafebabe-")
    text(path, uploads.replace("/data/local-files/?d=p2/", "/data/upload/1/deadbeef-"))
    dataset, lines = imported("label-studio", tmp_path / "in", tmp_path / "out")
    assert len(dataset.images) == 1
    assert len(lines) == 1
    assert "'deadbeef-opg.png' is not in" in lines[0]
    assert "opg.png is that of 'cafebabe-opg.png'" in lines[0]
