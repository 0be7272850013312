"""A text with half of a character is refused when it is read, whatever format it is in: no file could hold it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dentasam.data.dataset import Dataset
from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import import_dataset
from dentasam.data.quality.check import find_problems
from dentasam.documents.text import half_letter
from dentasam.errors import DatasetError

HALF = "\ud800"
SQUARE = [[2, 2], [9, 2], [9, 9], [2, 9]]


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(path)


def coco(path: Path, name: str = "11", tag: str = "dark", group: str = "", info: str = "") -> Path:
    image(path.parent / "a.png")
    ring = [coordinate for point in SQUARE for coordinate in point]
    shape = {"segmentation": [ring], "bbox": [2, 2, 7, 7], "area": 49, "iscrowd": 0}
    document = {
        "info": {"description": [info]},
        "images": [{"id": 1, "file_name": "a.png", "width": 16, "height": 16, "tags": [tag]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **shape}],
        "categories": [{"id": 1, "name": name, "supercategory": group}],
    }
    path.write_text(json.dumps(document))
    return path


def labelme(folder: Path) -> None:
    shape = {"label": HALF, "points": SQUARE, "shape_type": "polygon"}
    document = {"shapes": [shape], "imagePath": "a.png", "imageData": None, "imageHeight": 16, "imageWidth": 16}
    image(folder / "a.png")
    (folder / "a.json").write_text(json.dumps(document | {"version": "5.0", "flags": {}}))


def label_studio(folder: Path) -> None:
    value = {"points": [[10, 10], [80, 10], [80, 80]], "polygonlabels": [HALF]}
    size = {"original_width": 16, "original_height": 16, "from_name": "l", "to_name": "i"}
    result = {"id": "x", "type": "polygonlabels", "value": value, **size}
    image(folder / "a.png")
    task = {"id": 1, "data": {"image": "a.png"}, "annotations": [{"id": 1, "result": [result]}]}
    (folder / "x.json").write_text(json.dumps([task]))


def nnunet(folder: Path) -> None:
    image(folder / "imagesTr" / "a_0000.png")
    (folder / "labelsTr").mkdir()
    mask = np.zeros((16, 16), np.uint8)
    mask[2:9, 2:9] = 1
    Image.fromarray(mask).save(folder / "labelsTr" / "a.png")
    content = {"labels": {"background": 0, HALF: 1}, "file_ending": ".png", "channel_names": {"0": "x"}}
    (folder / "dataset.json").write_text(json.dumps(content | {"numTraining": 1}))


def yolo(folder: Path) -> None:
    image(folder / "images" / "a.png")
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text("0 .1 .1 .5 .1 .5 .5\n")
    (folder / "data.yaml").write_text('names: ["\\ud800"]\n')


def tags(folder: Path) -> None:
    image(folder / "images" / "a.png")
    (folder / "masks" / "a").mkdir(parents=True)
    mask = np.zeros((16, 16), np.uint8)
    mask[2:9, 2:9] = 255
    Image.fromarray(mask).save(folder / "masks" / "a" / "1_36.png")
    (folder / "tags.json").write_text(json.dumps({"a.png": [HALF]}))


@pytest.mark.parametrize(
    ("format", "write"),
    [
        ("labelme", labelme),
        ("label-studio", label_studio),
        ("nnunet", nnunet),
        ("yolo", yolo),
        ("png", tags),
        ("coco", lambda folder: coco(folder / "c.json", HALF)),
        ("coco", lambda folder: coco(folder / "c.json", tag=HALF)),
    ],
)
def test_an_import_refuses_it_and_leaves_nothing(tmp_path: Path, format: str, write: Any) -> None:
    source = tmp_path / "in"
    source.mkdir()
    write(source)
    with pytest.raises(DatasetError, match=r"'\\ud800'.* half of a character") as caught:
        import_dataset(format, source, tmp_path / "out", ImportOptions())
    assert str(caught.value).isprintable()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["name", "group", "tag", "info"])
def test_a_dataset_with_it_is_refused_with_its_place(tmp_path: Path, place: str) -> None:
    path = coco(tmp_path / "c.json", **{place: f"a{HALF}"})
    with pytest.raises(DatasetError, match=rf"{path.name}: .*'a\\ud800' has half of a character"):
        Dataset.load(path)
    problems = [problem.what for problem in find_problems(path) if problem.severity == "error"]
    assert any("half of a character" in what for what in problems)


def test_whole_letters_of_every_plane_are_kept(tmp_path: Path) -> None:
    dataset = Dataset.load(coco(tmp_path / "c.json", "🦷 歯", "темно", "😀", "𝒳"))
    assert dataset.categories[0].name == "🦷 歯"
    assert half_letter({"a": ["🦷", {"b": ("é", 5, None)}]}) is None
    assert half_letter({"a": [{"b\udfff": 1}]}) == "b\udfff"


@pytest.mark.parametrize("key", ["a.png", HALF])
def test_a_list_beside_the_images_is_named(tmp_path: Path, key: str) -> None:
    image(tmp_path / "set" / "images" / "a.png")
    image(tmp_path / "set" / "labels" / "a.png")
    (tmp_path / "set" / "tags.json").write_text(json.dumps({key: [HALF]}))
    with pytest.raises(DatasetError, match=r"tags\.json: '\\ud800' has half of a character"):
        import_dataset("labels", tmp_path / "set", tmp_path / "out", ImportOptions())
