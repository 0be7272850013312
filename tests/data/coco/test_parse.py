"""One clear line for each thing that can be wrong with a COCO file."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.data.coco.image_files import escapes
from dentasam.data.dataset import Dataset
from dentasam.data.quality.check import find_problems
from dentasam.errors import DatasetError

from ..coco_files import HEIGHT, TOOTH, WIDTH, compressed, content, uncompressed, write


@pytest.mark.parametrize("name", ["images\\a.png", "./images/a.png", "images/deep/../a.png"])
def test_ways_to_write_the_same_path(tmp_path: Path, name: str) -> None:
    coco = content()
    coco["images"][0]["file_name"] = name
    assert Dataset.load(write(tmp_path, coco)).images[0].path == tmp_path / "images" / "a.png"


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("a.png", False),
        ("images/x/../a.png", False),
        ("..a/b.png", False),
        ("../a.png", True),
        ("images/../../a.png", True),
        ("..\\a.png", True),
        ("/etc/passwd", True),
        ("C:\\a.png", True),
        ("C:a.png", True),
        ("\\\\host\\share\\a.png", True),
        ("//host/share/a.png", True),
        ("a\0.png", True),
        (".", True),
    ],
)
def test_paths_stay_in_the_folder(name: str, out: bool) -> None:
    assert escapes(name) is out


def change(section: str, position: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    """Damage: sets keys of one record, or takes away those given as `...`."""

    def apply(coco: dict[str, Any]) -> None:
        for key, value in values.items():
            if value is ...:
                del coco[section][position][key]
            else:
                coco[section][position][key] = value

    return apply


def again(section: str, position: int) -> Callable[[dict[str, Any]], None]:
    return lambda coco: coco[section].append(coco[section][position])


OTHER_SIZE = compressed(np.ones((WIDTH, HEIGHT), bool))
SHORT = {"size": [HEIGHT, WIDTH], "counts": [10, 20]}
CUT = {"size": [HEIGHT, WIDTH], "counts": compressed(TOOTH)["counts"][:-1] + "P"}
LEAKING = {"size": [HEIGHT, WIDTH], "counts": compressed(np.ones((90, 90), bool))["counts"]}
DAMAGES: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (lambda coco: coco.pop("images"), "has no list 'images'; export it as COCO"),
    (lambda coco: coco.update(annotations={}), "has no list 'annotations'; export"),
    (lambda coco: coco.pop("categories"), "has no list 'categories'; export"),
    (change("images", 0, id=...), "images[0] has no whole-number id; give"),
    (change("images", 0, id="1"), "images[0] has no whole-number id; give"),
    (change("images", 0, id=True), "images[0] has no whole-number id; give"),
    (lambda coco: coco["images"].append(None), "images[2] has no whole-number id; give"),
    (again("images", 1), "image 2: its id is there twice; give every image its own id"),
    (change("images", 1, file_name=...), "image 2: it has no 'file_name'; give"),
    (change("images", 1, file_name=7), "image 2: it has no 'file_name'; give"),
    (change("images", 1, file_name="/etc/hostname"), "image 2: its path '/etc/hostname' leaves"),
    (
        change("images", 1, file_name="../b.png"),
        "image 2: its path '../b.png' leaves the dataset's folder; give",
    ),
    (change("images", 1, file_name="images/c.png"), "image 2: its file 'images/c.png' is missing in"),
    (change("images", 1, file_name="images"), "image 2: its file 'images' is missing in"),
    (change("images", 1, file_name="x" * 5000), "image 2: its file 'xxx"),
    (change("images", 1, width=...), "image 2: its 'width' and 'height' are not sizes in pixels; write"),
    (change("images", 1, height=0), "image 2: its 'width' and 'height' are not sizes"),
    (change("images", 1, height=math.nan), "image 2: its 'width' and 'height' are not sizes"),
    (change("images", 1, height=10**12), "image 2: its 'width' and 'height' are not sizes"),
    (change("images", 1, tags="blurred"), "image 2: its 'tags' are not a list of strings; write"),
    (change("images", 1, tags=[1]), "image 2: its 'tags' are not a list of strings; write"),
    (change("categories", 0, id=...), "categories[0] has no whole-number id or no name; give"),
    (change("categories", 0, name=""), "categories[0] has no whole-number id or no name; give"),
    (again("categories", 0), "category 11 '11' is there twice; give every category"),
    (change("categories", 1, name="11"), "category 36 '11' is there twice"),
    (change("annotations", 0, id=...), "annotations[0] has no whole-number id; give"),
    (lambda coco: coco["annotations"].append([]), "annotations[3] has no whole-number id; give"),
    (again("annotations", 0), "image 1, annotation 1: its id is there twice; give every annotation"),
    (change("annotations", 0, image_id=...), "annotation 1: it has no 'image_id'; complete it"),
    (change("annotations", 0, category_id=...), "image 1, annotation 1: it has no 'category_id'; complete"),
    (change("annotations", 0, segmentation=None), "image 1, annotation 1: its segmentation is null, neither a mask"),
    (change("annotations", 0, image_id=9), "image 9, annotation 1: no image has its image_id 9; add"),
    (change("annotations", 0, category_id=12), "annotation 1: no category has its category_id 12; add"),
    (change("annotations", 0, category_id=[1]), "annotation 1: no category has its category_id [1]; add"),
    (change("annotations", 0, bbox=[1, 2, math.nan, 3]), "annotation 1: its bbox is not four finite numbers"),
    (change("annotations", 0, bbox=[1, 2, math.inf, 3]), "annotation 1: its bbox is not four finite numbers"),
    (change("annotations", 0, bbox=[1, 2, 10**400, 3]), "annotation 1: its bbox is not four finite numbers"),
    (change("annotations", 0, bbox=[1, 2, -1, 3]), "annotation 1: its bbox is not four finite numbers"),
    (change("annotations", 0, bbox=[1, 2]), "annotation 1: its bbox is not four finite numbers"),
    (
        change("annotations", 0, segmentation="x"),
        "annotation 1: its segmentation is neither polygons nor RLE",
    ),
    (
        change("annotations", 0, segmentation={"size": [1, 1]}),
        "annotation 1: its RLE has no 'counts'; encode",
    ),
    (
        change("annotations", 0, segmentation=OTHER_SIZE),
        "annotation 1: its RLE is for an image of 40x60, this one",
    ),
    (
        change("annotations", 0, segmentation=OTHER_SIZE | {"size": 7}),
        "annotation 1: its RLE is for an image of 7",
    ),
    (change("annotations", 0, segmentation=CUT), "annotation 1: its RLE string is cut or malformed; encode"),
    (
        change("annotations", 0, segmentation=SHORT),
        "annotation 1: its RLE covers 30 pixels, the image has 2400",
    ),
    (
        change("annotations", 0, segmentation=LEAKING),
        "annotation 1: its RLE covers 8100 pixels, the image has",
    ),
    (
        change("annotations", 0, segmentation=SHORT | {"counts": [-5, 2405]}),
        "its RLE counts are not all whole",
    ),
    (
        change("annotations", 0, segmentation=SHORT | {"counts": [1.5]}),
        "its RLE counts are not all whole numbers",
    ),
    (change("annotations", 0, segmentation=SHORT | {"counts": 7}), "its RLE counts are neither a string nor"),
    (
        change("annotations", 0, segmentation=compressed(TOOTH & False)),
        "annotation 1: its mask is empty; delete",
    ),
    (
        change("annotations", 0, segmentation=uncompressed(TOOTH & False)),
        "annotation 1: its mask is empty; delete",
    ),
    (
        change("annotations", 2, segmentation=[[[1, 1], [9, 9], [5, 1]]]),
        "annotation 5: a polygon is not a flat",
    ),
    (
        change("annotations", 2, segmentation=[[1, 1], [9, 9], [5, 1]]),
        "annotation 5: a polygon is not a flat list x1, y1, x2, y2, … of three points or more; write the",
    ),
    (change("annotations", 2, segmentation=[[1, 1, 9, 9, 5, "7"]]), "annotation 5: a polygon has a coord"),
    (
        change("annotations", 2, segmentation=[[1, 1, 9, 9, 1e12, 1]]),
        "annotation 5: a polygon lies far outside",
    ),
    (change("annotations", 2, segmentation=[[1, 1, 5, 5, 9, 9]]), "annotation 5: its mask is empty; delete"),
    (
        change("annotations", 2, segmentation=[[61, 1, 70, 1, 65, 20]]),
        "annotation 5: its mask is empty; delete",
    ),
    (
        change("annotations", 2, segmentation=[[3.6, 3.6, 3.7, 3.6, 3.7, 3.7]]),
        "annotation 5: its mask is empty",
    ),
]


@pytest.mark.parametrize(("damage", "says"), DAMAGES)
def test_an_error_gets_one_clear_line(tmp_path: Path, damage: Callable[[dict[str, Any]], None], says: str) -> None:
    coco = json.loads(json.dumps(content()))
    damage(coco)
    path = write(tmp_path, coco)
    with pytest.raises(DatasetError) as caught:
        Dataset.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "\n" not in message
    # The reader that lists goes on, and finds the same.
    assert message in [problem.line(path) for problem in find_problems(path)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty; it may be truncated"),
        ('{"images": [', "is not JSON (line 1: Expecting value); it may be truncated"),
        ("[1]", "is not a COCO dataset (the top level is not an object); export"),
        ("[" * 100_000, "is not JSON text ("),
        (b"\xff\xfe\x00", "is not JSON text ("),
        ("9" * 5000, "is not JSON text ("),
    ],
)
def test_what_is_no_coco_file(tmp_path: Path, text: str | bytes, says: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError) as caught:
        Dataset.load(path)
    assert f"{path}: {says}" in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.json: does not exist; check the path"):
        Dataset.load(tmp_path / "none.json")
    with pytest.raises(DatasetError, match="is a folder; name the COCO JSON in it"):
        Dataset.load(tmp_path)


def test_byte_order_mark_and_whole_floats_are_let_pass(tmp_path: Path) -> None:
    coco = content()
    coco["images"][0]["width"] = float(WIDTH)
    coco["annotations"][0]["image_id"] = 1.0
    path = write(tmp_path, coco)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert Dataset.load(path).images[0].objects[0].area == TOOTH.sum()
