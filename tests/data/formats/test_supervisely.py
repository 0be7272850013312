"""Supervisely: a project as its archives hold it, and bad files."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from dentasam.data.dataset import Dataset, ImageRecord
from dentasam.data.formats.interface import ImportOptions, ReadOptions
from dentasam.data.formats.registry import choose, export_dataset, import_dataset
from dentasam.data.formats.sources.images import ImageNotFound, SourceImage, SourceImages
from dentasam.data.formats.supervisely import read, recognises
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError, ImageError

from ..coco_files import write

# Written by the package supervisely 6.74.51: three masks on 4 rows of 5 pixels.
BITMAPS = [
    (
        [0, 0],
        "eJzrDPBz5+WS4mJgYOD19HAJAtKsQMzCyAwka/6mgyi2AJ8QVyD9////pTfn3wWyGEuC/IIZHJ7dSANyBDxdHEMq5iRbHCxpPNjQ"
        "yMzAZcJ4+drhubOBcgyern4u65wSmgDz2Bz9",
        [[1, 1, 0, 0, 1], [1, 0, 0, 1, 1], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]],
    ),
    (
        [2, 1],
        "eJzrDPBz5+WS4mJgYOD19HAJAtJMIMzIDCQ9KuanAym2AJ8QVyD9////pTfn3wWyGEuC/IIZHJ7dSANyeDxdHEMq5iRbHChhYGDmYGxm"
        "d2ZcCxRn8HT1c1nnlNAEADwLGDQ=",
        [[0, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]],
    ),
    (
        [1, 0],
        "eJzrDPBz5+WS4mJgYOD19HAJAtLMIMwIInOeqf8BUmwBPiGuQPr///9Lb86/C2QxlgT5BTM4PLuRBuTwebo4hlTMSa44UNLwkJGBvY+p"
        "WTreAaSBwdPVz2WdU0ITAMeCGxs=",
        [[0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]],
    ),
]
WIDTH, HEIGHT = 30, 20
ANY = ImportOptions(numbering=Numbering.fdi)


def bitmap(origin: Any, data: Any, title: str = "36") -> dict[str, Any]:
    return {
        "id": 1,
        "classId": 2,
        "description": "",
        "geometryType": "bitmap",
        "tags": [],
        "classTitle": title,
        "bitmap": {"data": data, "origin": origin},
    }


def points(kind: str, exterior: Any, *interior: Any, title: str = "37", **more: Any) -> dict[str, Any]:
    ring = {"exterior": exterior, "interior": list(interior)}
    return {"classTitle": title, "geometryType": kind, "points": ring, "tags": [], **more}


def annotation(*objects: Any, size: tuple[int, int] = (WIDTH, HEIGHT), **more: Any) -> dict[str, Any]:
    return {
        "description": "",
        "tags": [],
        "size": {"width": size[0], "height": size[1]},
        "objects": list(objects),
        **more,
    }


def project(folder: Path, file: Any, size: tuple[int, int] = (WIDTH, HEIGHT), name: str = "a.png.json") -> Path:
    for inner in ("img", "ann"):
        (folder / "ds 1" / inner).mkdir(parents=True, exist_ok=True)
    Image.new("L", size, 90).save(folder / "ds 1" / "img" / "a.png")
    (folder / "ds 1" / "ann" / name).write_bytes(file if isinstance(file, bytes) else json.dumps(file).encode())
    classes = [{"title": title, "shape": "any", "color": "#F6FF00"} for title in ("crown", "36", "37")]
    (folder / "meta.json").write_text(json.dumps({"classes": classes, "tags": [], "projectType": "images"}))
    return folder


def imported(source: Path, out: Path, options: ImportOptions = ANY) -> list[ImageRecord]:
    return list(Dataset.load(import_dataset("supervisely", source, out, options)).images)


def test_bitmaps_as_supervisely_writes_them(tmp_path: Path) -> None:
    objects = [bitmap(origin, data) for origin, data, _ in BITMAPS]
    origin, data, _ = BITMAPS[1]
    objects.append(bitmap(origin, base64.b64encode(zlib.decompress(base64.b64decode(data))).decode()))
    source = project(tmp_path / "in", annotation(*objects, size=(5, 4)), size=(5, 4))
    (image,) = imported(source, tmp_path / "out")
    np.testing.assert_array_equal(image.masks(), [*(mask for _, _, mask in BITMAPS), BITMAPS[1][2]])


def test_a_bitmap_in_the_alpha_channel(tmp_path: Path) -> None:
    coded = BytesIO()
    pixels = np.full((2, 3, 4), 255, np.uint8)
    pixels[0, 1:, 3] = 0
    Image.fromarray(pixels).save(coded, "PNG")
    data = base64.b64encode(zlib.compress(coded.getvalue())).decode()
    (image,) = imported(project(tmp_path / "in", annotation(bitmap([28, 0], data))), tmp_path / "out")
    assert np.argwhere(image.masks()[0]).tolist() == [[0, 28], [1, 28], [1, 29]]


def test_polygons_with_holes_and_boxes(tmp_path: Path) -> None:
    outer, inner = [[2, 2], [12, 2], [12, 12], [2, 12]], [[5, 5], [9, 5], [9, 9], [5, 9]]
    objects = [
        points("polygon", outer, inner),
        points("rectangle", [[20, 3], [25, 4]]),
        points("rectangle", [[25, 40], [28, 18]]),
    ]
    (image,) = imported(project(tmp_path / "in", annotation(*objects)), tmp_path / "out")
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(drawn, [np.array(outer)], 1)
    cv2.fillPoly(drawn, [np.array(inner)], 0)
    first, second, third = image.masks()
    np.testing.assert_array_equal(first, drawn > 0)
    assert first.sum() == 121 - 25
    assert (second.sum(), second[3:5, 20:26].all()) == (12, True)
    assert (third.sum(), third[18:, 25:29].all()) == (8, True)


def test_tags_classes_and_what_is_left_out(tmp_path: Path) -> None:
    tags = [{"name": "blurred", "value": None}, {"name": "side", "value": "left"}, "old"]
    tooth = points("rectangle", [[1, 1], [2, 2]], tags=[{"name": "worn"}], description="a note")
    line = points("line", [[1, 1], [2, 2]])
    lines: list[str] = []
    options = ImportOptions(numbering=Numbering.fdi, report=lines.append)
    source = project(tmp_path / "in", annotation(tooth, line, tags=tags))
    path = import_dataset("supervisely", source, tmp_path / "out", options)
    (image,) = Dataset.load(path).images
    assert (image.file_name, image.tags) == ("images/ds 1/img/a.png", ("blurred", "side: left", "old"))
    document = json.loads(path.read_text())
    assert document["annotations"][0]["tags"] == ["worn"]
    assert document["annotations"][0]["description"] == "a note"
    assert {category["name"]: category["id"] for category in document["categories"]}["36"] == 36
    assert {category["name"] for category in document["categories"]} == {"crown", "36", "37"}
    assert lines == ["objects of the type 'line' left out: 1"]


def test_old_projects_name_files_without_suffix_and_no_geometry(tmp_path: Path) -> None:
    origin, data, _ = BITMAPS[1]
    first, second = bitmap(origin, data), points("polygon", [[1, 1], [4, 1], [4, 4], [1, 4]])
    del first["geometryType"], second["geometryType"]
    source = project(tmp_path / "in", annotation(first, second), name="a.json")
    meta = {"classes": [{"title": "36", "shape": "bitmap"}, {"title": "37", "shape": "polygon"}]}
    (source / "meta.json").write_text(json.dumps(meta))
    (image,) = imported(source, tmp_path / "out")
    assert [record.area for record in image.objects] == [3, 16]


def test_it_is_recognised_and_not_written(tmp_path: Path) -> None:
    source = project(tmp_path / "in", annotation())
    assert choose(None, [source])[0] == "supervisely"
    assert recognises(source / "ds 1")
    coco = write(tmp_path / "coco")
    assert not recognises(coco)
    assert not recognises(coco.parent)
    with pytest.raises(DatasetError, match="the format supervisely cannot be exported; choose one of coco"):
        export_dataset("supervisely", Dataset.load(coco), tmp_path / "out")
    with pytest.raises(DatasetError, match="holds no dataset of Supervisely; name the folder"):
        imported(coco.parent, tmp_path / "out")


def setting(*path: Any) -> Callable[[Any], None]:
    *keys, last, value = path

    def change(file: Any) -> None:
        for key in keys:
            file = file[key]
        file[last] = value

    return change


def bent(change: Callable[[Any], None]) -> bytes:
    file = annotation(
        bitmap(*BITMAPS[1][:2]),
        points("polygon", [[2, 2], [12, 2], [12, 12]], [[8, 3], [9, 3], [9, 4]]),
        points("rectangle", [[1, 1], [3, 3]]),
    )
    change(file)
    return json.dumps(file).encode()


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


RINGS: list[Any] = [
    None,
    3,
    "x",
    {},
    [[1, 2]],
    [[1], [2], [3]],
    [["1", "2"]] * 3,
    [[math.nan, 1]] * 3,
    [[1e400, 1]] * 3,
]
RINGS += [[[10**400, 1]] * 3, [[1e6, 1], [2, 2], [3, 3]]]
OUTSIDE: list[Any] = [[-9, -9], [-8, -9], [-9, -8]]
DATA: list[Any] = [
    None,
    3,
    "",
    "#",
    "AAAA",
    coded(b"\x89PNG"),
    coded(zlib.compress(b"\0" * 10**7)),
    BITMAPS[1][1][:40],
]
ORIGINS: list[Any] = [None, 3, [], [1], ["1", "2"], [math.nan, 0], [1e400, 0], [40, 40], [-3, 0], [[1, 2]]]
OBJECTS: list[Any] = [None, 3, [], {}, {"classTitle": "36", "geometryType": "bitmap"}]
TITLES: list[Any] = [None, 3, "", []]
SIZES: list[Any] = [{"width": 31, "height": 20}, {"width": "30", "height": 20}, {"width": 0, "height": 1e400}]
GOOD = bent(lambda file: None)
BAD = [
    *(bent(setting("objects", value)) for value in OBJECTS[:2]),
    *(bent(setting("objects", 0, value)) for value in OBJECTS),
    *(bent(setting("objects", 0, "classTitle", value)) for value in TITLES),
    *(bent(setting("objects", 0, "bitmap", "data", value)) for value in DATA),
    *(bent(setting("objects", 0, "bitmap", "origin", value)) for value in ORIGINS),
    *(bent(setting("objects", 1, "points", "exterior", value)) for value in (*RINGS, OUTSIDE)),
    *(bent(setting("objects", 1, "points", "interior", [value])) for value in RINGS),
    *(bent(setting("objects", 2, "points", "exterior", value)) for value in (*RINGS, OUTSIDE)),
    *(bent(setting("objects", 2, "points", value)) for value in OBJECTS[:3]),
    *(bent(setting("size", value)) for value in SIZES),
    b"",
    b"[]",
    GOOD[: len(GOOD) // 2],
    GOOD.replace(b"36", b"\xe9"),
    b"[" * 100000,
]


@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
def test_bad_files(tmp_path: Path, data: bytes) -> None:
    source = project(tmp_path / "in", data)
    with pytest.raises((DatasetError, ImageError)) as caught:
        imported(source, tmp_path / "out")
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message
    assert "a.png.json" in message
    assert len(message) < 500
    assert not (tmp_path / "out").exists()


def test_the_file_that_is_bent_is_good_and_a_bad_object_can_be_left_out(tmp_path: Path) -> None:
    (image,) = imported(project(tmp_path / "in", GOOD), tmp_path / "out")
    assert [record.category for record in image.objects] == ["36", "37", "37"]
    lines: list[str] = []
    bad = bent(setting("objects", 1, "points", "exterior", [[1, 1], [2, 2]]))
    options = ImportOptions(numbering=Numbering.fdi, skip_bad=lines.append)
    (image,) = imported(project(tmp_path / "in", bad), tmp_path / "skipped", options)
    assert len(image.objects) == 2
    assert lines[0].endswith("object 1 ('37'): a polygon has fewer than 3 points; delete the object or draw it again")


@pytest.mark.parametrize("meta", [b"[]", b"{", b'{"classes": 3}', b'{"classes": [{"title": 4}]}'])
def test_a_bad_list_of_classes(tmp_path: Path, meta: bytes) -> None:
    source = project(tmp_path / "in", annotation())
    (source / "meta.json").write_bytes(meta)
    with pytest.raises(DatasetError, match=r"meta\.json.*; export"):
        imported(source, tmp_path / "out")


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    source = project(tmp_path / "in", annotation(), name="b.png.json")
    with pytest.raises(DatasetError, match=r"b\.png\.json: its image 'ds 1/img/b\.png' is not in .*; put it there"):
        imported(source, tmp_path / "out")


def test_images_of_a_worklist_are_not_opened(tmp_path: Path) -> None:
    source = project(tmp_path / "in", annotation(points("rectangle", [[1, 1], [2, 2]])))
    known = SourceImage("case.7/a.png", Path("nowhere"), (HEIGHT, WIDTH))
    (record,) = read(source, SourceImages([known], "the worklist"), ReadOptions(tmp_path)).records
    loaded = record.load()
    assert (loaded.file_name, [item.category for item in loaded.objects]) == ("case.7/a.png", ["37"])
    other = SourceImage("b.png", Path("nowhere"), (HEIGHT, WIDTH))
    (record,) = read(source, SourceImages([other], "the worklist"), ReadOptions(tmp_path)).records
    with pytest.raises(ImageNotFound, match="a.png' is not in the worklist"):
        record.load()
