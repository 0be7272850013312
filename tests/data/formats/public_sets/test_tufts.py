"""The Tufts Dental Database: Universal numbers, specks, and patients without teeth."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.errors import DatasetError

from .published_files import CENTRES, SQUARE, categories, imported, mask_file, picture, recognised, write_json

ADDRESS = "http://tdd.ece.tufts.edu"
OUTLINE = np.reshape(SQUARE, (-1, 2)).tolist()
SPECKS = [[[50, 35]], [[51, 3], [52, 3]], [[55, 30], [57, 30], [57, 32], [55, 32]]]


def tooth(title: str, *more: Any) -> dict[str, Any]:
    return {"title": title, "bounding box": [10, 10, 25, 30], "polygons": [*more, OUTLINE]}


def content() -> list[Any]:
    return [
        {"External ID": "1.jpg", "Label": {"objects": [tooth("1"), tooth("19"), tooth("32", *SPECKS)]}},
        {"External ID": "2.jpg", "Label": {"objects": []}},
        {"External ID": "10.JPG", "Label": {"objects": [tooth("9"), tooth("A"), tooth("T")]}},
    ]


def database(folder: Path, entries: Any = None) -> Path:
    for name in ("1", "2", "10"):
        picture(folder / "Radiographs" / f"{name}.JPG", 60)
        mask_file(folder / "Segmentation" / "teeth_mask" / f"{name}.jpg", CENTRES.astype(np.uint8) * 255)
        picture(folder / "Expert" / "mask" / f"{name}.JPG", 0)
    return write_json(folder / "Segmentation" / "teeth_polygon.json", content() if entries is None else entries)


@pytest.mark.parametrize("whole", [True, False])
def test_universal_numbers_become_fdi(tmp_path: Path, whole: bool) -> None:
    path = database(tmp_path / "s")
    source = tmp_path / "s" if whole else path
    assert recognised(source) == "tufts"
    dataset, lines = imported("tufts", source, tmp_path / "out")
    assert categories(dataset) == [["18", "36", "48"], [], ["21", "55", "85"]]
    for image in dataset.images:
        assert abs(int(image.read()[0, 0]) - 60) < 4
        for mask in image.masks():
            np.testing.assert_array_equal(mask, CENTRES)
    assert lines == ["specks beside the outlines of teeth left out: 3"]


def test_a_missing_radiograph_is_not_replaced_by_its_mask(tmp_path: Path) -> None:
    database(tmp_path / "s")
    (tmp_path / "s" / "Radiographs" / "2.JPG").unlink()
    with pytest.raises(DatasetError, match=r"its image '2\.jpg' is not in .*Radiographs; put it there"):
        imported("tufts", tmp_path / "s", tmp_path / "out")


def test_other_layouts_are_refused_with_the_address(tmp_path: Path) -> None:
    path = database(tmp_path / "s")
    with pytest.raises(DatasetError, match=rf"holds no Segmentation/teeth_polygon\.json; .*{ADDRESS}"):
        imported("tufts", tmp_path / "s" / "Radiographs", tmp_path / "1")
    write_json(path, {"images": []})
    assert recognised(path) != "tufts"
    with pytest.raises(DatasetError, match=rf"it is not a list of images; .*{ADDRESS}"):
        imported("tufts", path, tmp_path / "2")
    (tmp_path / "s" / "Radiographs").rename(tmp_path / "s" / "images")
    database(tmp_path / "t")
    write_json(path, content())
    with pytest.raises(DatasetError, match=rf"no folder Radiographs beside it; .*{ADDRESS}"):
        imported("tufts", tmp_path / "s", tmp_path / "3")


@pytest.mark.parametrize("entry", [None, {}, {"External ID": 1, "Label": {"objects": []}}, {"External ID": "1.jpg"}])
def test_bent_entries(tmp_path: Path, entry: Any) -> None:
    database(tmp_path / "s", [entry, *content()])
    with pytest.raises(DatasetError, match=r"teeth_polygon\.json: entry 0 has no 'External ID' or no 'Label'.*; "):
        imported("tufts", tmp_path / "s", tmp_path / "out")


@pytest.mark.parametrize(
    "change",
    [
        {"title": "33"},
        {"title": 3},
        {"title": "None"},
        {"polygons": []},
        {"polygons": None},
        {"polygons": [[]]},
        {"polygons": [[[1, 2], [3]]]},
        {"polygons": [[[1, 2], [3, "4"], [5, 6]]]},
        {"polygons": [[[1, 2], [3, float("nan")], [5, 6]]]},
        {"polygons": [[[1, 2], [3, 10**400], [5, 6]]]},
        {"polygons": [[[1, 2], [3, 4]]]},
        {"polygons": [[[100, 100], [110, 100], [110, 110]]]},
    ],
)
def test_bent_teeth(tmp_path: Path, change: dict[str, Any]) -> None:
    entries = content()
    entries[0]["Label"]["objects"][1] |= change
    database(tmp_path / "s", entries)
    with pytest.raises(DatasetError, match=r"teeth_polygon\.json, 1\.jpg, object 1: .*; correct or delete it"):
        imported("tufts", tmp_path / "s", tmp_path / "out")
    left_out: list[str] = []
    dataset, _ = imported("tufts", tmp_path / "s", tmp_path / "skipped", left_out)
    assert categories(dataset) == [["18", "48"], [], ["21", "55", "85"]]
    assert len(left_out) == 1
