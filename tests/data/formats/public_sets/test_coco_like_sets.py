"""OdontoAI and AKUDENTAL: COCO files whose categories are teeth by another name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.errors import DatasetError

from .published_files import (
    CENTRES,
    CORNERS,
    HEIGHT,
    SQUARE,
    WIDTH,
    categories,
    imported,
    picture,
    recognised,
    write_json,
)

ODONTOAI = "https://github.com/IvisionLab/OdontoAI-Open-Panoramic-Radiographs"
AKUDENTAL = "https://github.com/melihoz/AKUDENTAL"
# The categories as the set numbers them.
TEETH = (
    [f"1{k}" for k in range(1, 9)]
    + [f"2{k}" for k in range(1, 9)]
    + [f"3{k}" for k in range(1, 9)]
    + [f"4{k}" for k in range(1, 9)]
    + [f"{quadrant}{k}" for quadrant in (5, 6, 7, 8) for k in range(1, 6)]
)


def tables(names: list[str], used: list[int], first_image: int, file: str) -> dict[str, Any]:
    """Three images, the first of which has an annotation for each of the categories `used`."""
    return {
        "images": [
            {"id": first_image + n, "file_name": file.format(first_image + n), "width": WIDTH, "height": HEIGHT}
            for n in range(3)
        ],
        "annotations": [
            {"id": number, "image_id": first_image, "category_id": id, "segmentation": [SQUARE], "iscrowd": 0}
            for number, id in enumerate(used, start=1)
        ],
        "categories": [{"id": id, "name": name, "supercategory": "tooth"} for id, name in enumerate(names, start=1)],
    }


def odontoai(folder: Path) -> dict[str, Any]:
    names = [f"tooth-{number}" for number in TEETH]
    for subset, first, used in (("train", 1, list(range(1, 53))), ("val", 4, [52, 1])):
        for number in range(first, first + 3):
            picture(folder / subset / "images" / f"pan-{number}.jpg", 10 * number)
        write_json(folder / subset / f"{subset}.json", tables(names, used, first, "pan-{}.jpg"))
    return tables(names, [1, 2, 52], 1, "pan-{}.jpg")


def test_odontoai_numbers_52_teeth(tmp_path: Path) -> None:
    odontoai(tmp_path / "s")
    dataset, _ = imported("odontoai", tmp_path / "s", tmp_path / "out")
    assert len(TEETH) == 52
    assert categories(dataset) == [TEETH, [], [], ["85", "11"], [], []]
    np.testing.assert_array_equal(dataset.images[0].masks()[30], CORNERS)
    alone, _ = imported("odontoai", tmp_path / "s" / "val" / "val.json", tmp_path / "out2")
    assert categories(alone) == [["85", "11"], [], []]


def test_odontoai_is_read_by_its_name_only(tmp_path: Path) -> None:
    odontoai(tmp_path / "s")
    assert recognised(tmp_path / "s" / "train" / "train.json") == "coco"


def test_odontoai_refuses_other_names(tmp_path: Path) -> None:
    coco = odontoai(tmp_path / "s")
    coco["categories"][8]["name"] = "tooth-22"
    path = write_json(tmp_path / "s" / "train" / "train.json", coco)
    with pytest.raises(DatasetError, match=rf"category 9 is 'tooth-22' in place of tooth-21; .*{ODONTOAI}"):
        imported("odontoai", path, tmp_path / "1")
    coco["categories"][8] = {"id": 53, "name": "tooth-21"}
    with pytest.raises(DatasetError, match="category 53 is 'tooth-21' in place of none; "):
        imported("odontoai", write_json(path, coco), tmp_path / "2")
    with pytest.raises(DatasetError, match=rf"holds no train/train\.json; .*{ODONTOAI}"):
        imported("odontoai", tmp_path / "s" / "train" / "images", tmp_path / "3")
    del coco["categories"]
    with pytest.raises(DatasetError, match=rf"it has no list 'categories'; .*{ODONTOAI}"):
        imported("odontoai", write_json(path, coco), tmp_path / "4")


def test_odontoai_reads_rle_that_is_marked_as_a_crowd(tmp_path: Path) -> None:
    coco = odontoai(tmp_path / "s")
    flat = CORNERS.reshape(-1, order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat]).astype(int)))
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    coco["annotations"][0] |= {"segmentation": {"size": [HEIGHT, WIDTH], "counts": counts}, "iscrowd": 1}
    path = write_json(tmp_path / "s" / "train" / "train.json", coco)
    dataset, _ = imported("odontoai", path, tmp_path / "out")
    np.testing.assert_array_equal(dataset.images[0].masks()[0], CORNERS)


def akudental(folder: Path) -> dict[str, Any]:
    names = ["11 - Central Incisor", "36 - 1st Molar", "48 - 3rd Molar", "Bridge", "Filling - Crown", "Implant"]
    for number in (1, 2, 3):
        picture(folder / "AKUDENTAL" / "images" / f"{number}.jpg", 10 * number)
        # Copies for the authors' folds.
        picture(folder / "AKUDENTAL" / "folds" / "images" / f"{number}.jpg", 200)
        write_json(folder / "AKUDENTAL" / "annotations" / f"{number}.json", {"version": "5.5.0", "shapes": []})
    content = tables(names, [1, 2, 3, 4, 5, 6], 1, "{}.jpg")
    write_json(folder / "AKUDENTAL" / "akudental_instances.json", content)
    return content


@pytest.mark.parametrize("place", ["", "AKUDENTAL", "AKUDENTAL/akudental_instances.json"])
def test_akudental(tmp_path: Path, place: str) -> None:
    akudental(tmp_path / "s")
    assert recognised(tmp_path / "s" / place) == "akudental"
    dataset, _ = imported("akudental", tmp_path / "s" / place, tmp_path / "out")
    assert categories(dataset) == [["11", "36", "48", "Bridge", "Filling - Crown", "Implant"], [], []]
    for mask in dataset.images[0].masks():
        np.testing.assert_array_equal(mask, CENTRES)
    assert int(dataset.images[0].read()[0, 0]) < 30


def test_akudental_refuses_another_layout(tmp_path: Path) -> None:
    coco = akudental(tmp_path / "s")
    coco["categories"][0]["name"] = "Central Incisor"
    path = write_json(tmp_path / "s" / "AKUDENTAL" / "akudental_instances.json", coco)
    with pytest.raises(DatasetError, match=rf"'Central Incisor' is none of the set's; .*{AKUDENTAL}"):
        imported("akudental", path, tmp_path / "1")
    with pytest.raises(DatasetError, match=rf"holds no akudental_instances\.json; .*{AKUDENTAL}"):
        imported("akudental", tmp_path / "s" / "AKUDENTAL" / "images", tmp_path / "2")
    coco = akudental(tmp_path / "s")
    coco["annotations"][2]["category_id"] = 77
    with pytest.raises(DatasetError, match="annotation 3: no category has its category_id 77; correct or delete it"):
        imported("akudental", write_json(path, coco), tmp_path / "3")
