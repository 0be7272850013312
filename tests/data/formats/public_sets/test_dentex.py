"""DENTEX: FDI numbers from two categories, diseases, and tiers that are not mixed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.errors import DatasetError

from .published_files import CORNERS, HEIGHT, SQUARE, WIDTH, categories, imported, picture, recognised, write_json

ADDRESS = "https://zenodo.org/records/7812323"
DISEASES = [{"id": 0, "name": "Impacted"}, {"id": 1, "name": "Caries"}]


def content(disease: bool = False) -> dict[str, Any]:
    """Three images; an annotation for each quadrant and one more."""
    teeth = [(1, 0, 0), (1, 1, 3), (2, 2, 7), (2, 3, 5), (2, 3, 0)]
    coco: dict[str, Any] = {
        "images": [
            {"id": number, "file_name": f"train_{number}.png", "height": HEIGHT, "width": WIDTH}
            for number in (1, 2, 3)
        ],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id_1": quadrant,
                "category_id_2": place,
                "bbox": [10, 10, 20, 15],
                "area": 300,
                "iscrowd": 0,
                "segmentation": [SQUARE],
            }
            for number, (image, quadrant, place) in enumerate(teeth, start=1)
        ],
        "categories_1": [{"id": id, "name": str(id + 1), "supercategory": str(id + 1)} for id in range(4)],
        "categories_2": [{"id": id, "name": str(id + 1), "supercategory": str(id + 1)} for id in range(8)],
    }
    if disease:
        coco["categories_3"] = DISEASES
        for item in coco["annotations"]:
            item["category_id_3"] = item["id"] % 2
    return coco


def enumeration(root: Path) -> Path:
    folder = root / "training_data" / "quadrant_enumeration"
    for number in (1, 2, 3):
        picture(folder / "xrays" / f"train_{number}.png", 50 * number)
    return write_json(folder / "train_quadrant_enumeration.json", content())


def diseases(root: Path) -> Path:
    folder = root / "training_data" / "quadrant-enumeration-disease"
    for number in (1, 2, 3):
        picture(folder / "xrays" / f"train_{number}.png", 7)
    return write_json(folder / "train_quadrant_enumeration_disease.json", content(disease=True))


@pytest.mark.parametrize("named", ["json", "tier", "above", "root"])
def test_numbers_are_quadrant_and_place(tmp_path: Path, named: str) -> None:
    path = enumeration(tmp_path / "s")
    source = {"json": path, "tier": path.parent, "above": path.parent.parent, "root": tmp_path / "s"}[named]
    assert recognised(source) == "dentex"
    dataset, lines = imported("dentex", source, tmp_path / "out")
    assert categories(dataset) == [["11", "24"], ["38", "46", "41"], []]
    for image in dataset.images:
        for mask in image.masks():
            np.testing.assert_array_equal(mask, CORNERS)
    assert lines == ["DENTEX's polygons are crude outlines: do not measure Dice with them"]


def test_every_number_of_the_golden_rule(tmp_path: Path) -> None:
    coco = content()
    pairs = [(quadrant, place) for quadrant in range(4) for place in range(8)]
    coco["annotations"] = [
        {**coco["annotations"][0], "id": number, "category_id_1": quadrant, "category_id_2": place}
        for number, (quadrant, place) in enumerate(pairs)
    ]
    path = write_json(enumeration(tmp_path / "s"), coco)
    dataset, _ = imported("dentex", path, tmp_path / "out")
    assert categories(dataset)[0] == [f"{quadrant + 1}{place + 1}" for quadrant, place in pairs]


def test_diseases_stay_with_their_teeth(tmp_path: Path) -> None:
    path = diseases(tmp_path / "s")
    _, lines = imported("dentex", path, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "dataset.json").read_text())["annotations"]
    assert [item["disease"] for item in written] == ["Caries", "Impacted", "Caries", "Impacted", "Caries"]
    assert "only teeth with a disease are annotated" in lines[1]


def test_images_of_another_tier_with_the_same_name_are_not_taken(tmp_path: Path) -> None:
    path = enumeration(tmp_path / "s")
    diseases(tmp_path / "s").unlink()
    dataset, _ = imported("dentex", tmp_path / "s", tmp_path / "out")
    assert [int(image.read()[0, 0]) for image in dataset.images] == [50, 100, 150]
    (path.parent / "xrays" / "train_2.png").unlink()
    with pytest.raises(DatasetError, match=r"its image 'train_2\.png' is not in .*; put it there"):
        imported("dentex", tmp_path / "s", tmp_path / "out2")


def test_several_tiers_are_not_mixed(tmp_path: Path) -> None:
    enumeration(tmp_path / "s")
    diseases(tmp_path / "s")
    assert recognised(tmp_path / "s") == "dentex"
    with pytest.raises(DatasetError, match=rf"holds several tiers, .*; give the JSON of one tier, .* {ADDRESS}"):
        imported("dentex", tmp_path / "s", tmp_path / "out")


def test_the_validation_tier_lies_beside_its_images(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        folder = tmp_path / "s" / "validation_data" / "quadrant_enumeration_disease" / "xrays"
        picture(folder / f"train_{number}.png", 9)
        picture(tmp_path / "s" / "training_data" / "quadrant" / "xrays" / f"train_{number}.png", 200)
    write_json(tmp_path / "s" / "validation_triple.json", content(disease=True))
    dataset, _ = imported("dentex", tmp_path / "s", tmp_path / "out")
    assert [int(image.read()[0, 0]) for image in dataset.images] == [9, 9, 9]


def test_quadrants_by_name_whatever_their_ids(tmp_path: Path) -> None:
    coco = content()
    del coco["categories_1"], coco["categories_2"]
    coco["categories"] = [{"id": id, "name": name} for id, name in enumerate("2134")]
    for item in coco["annotations"]:
        item["category_id"] = item.pop("category_id_1")
    folder = tmp_path / "s" / "quadrant"
    for number in (1, 2, 3):
        picture(folder / "xrays" / f"train_{number}.png")
    path = write_json(folder / "train_quadrant.json", coco)
    assert recognised(path) == recognised(tmp_path / "s") == "dentex"
    dataset, _ = imported("dentex", path, tmp_path / "out")
    assert categories(dataset) == [["quadrant 2", "quadrant 1"], ["quadrant 3", "quadrant 4", "quadrant 4"], []]


def test_other_layouts_are_refused_with_the_address(tmp_path: Path) -> None:
    (tmp_path / "s" / "disease" / "label").mkdir(parents=True)
    with pytest.raises(DatasetError, match=rf"test set are treatments.*; .*{ADDRESS}"):
        imported("dentex", tmp_path / "s", tmp_path / "1")
    with pytest.raises(DatasetError, match=rf"holds no JSON of a tier; .*{ADDRESS}"):
        imported("dentex", tmp_path / "s" / "disease" / "label", tmp_path / "2")
    plain = {"images": [], "annotations": [], "categories": [{"id": 36, "name": "36"}]}
    path = write_json(tmp_path / "plain.json", plain)
    assert recognised(path) == "coco"
    with pytest.raises(DatasetError, match=rf"its categories are not the quadrants 1-4; .*{ADDRESS}"):
        imported("dentex", path, tmp_path / "3")


@pytest.mark.parametrize(
    "change",
    [
        {"categories_1": [{"id": 0, "name": "upper right"}]},
        {"categories_2": [{"id": 0}]},
        {"categories_2": None},
        {"images": None},
        {"images": [7]},
        {"images": [{"id": 1, "file_name": ""}]},
        {"annotations": {"a": 1}},
        {"annotations": [None]},
        {"annotations": [{"id": 1, "image_id": 99}]},
    ],
)
def test_bent_files(tmp_path: Path, change: dict[str, Any]) -> None:
    path = enumeration(tmp_path / "s")
    write_json(path, content() | change)
    with pytest.raises(DatasetError, match=r"train_quadrant_enumeration\.json.*; "):
        imported("dentex", path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"category_id_1": 4},
        {"category_id_2": "1"},
        {"segmentation": []},
        {"segmentation": None},
        {"segmentation": [[1, 2, 3, 4]]},
        {"segmentation": [[1, 2, 3, float("nan"), 5, 6]]},
        {"segmentation": [[1, 2, 3, 10**400, 5, 6]]},
        {"segmentation": [[1, 2, 300, 9999, 5, 6]]},
        {"segmentation": [[1, 1, 1, 1, 1, 1]]},
        {"segmentation": "x"},
    ],
)
def test_bent_annotations(tmp_path: Path, change: dict[str, Any]) -> None:
    coco = content()
    coco["annotations"][1] |= change
    path = write_json(enumeration(tmp_path / "s"), coco)
    with pytest.raises(DatasetError, match=r"enumeration\.json, image 1, annotation 2: .*; correct or delete it"):
        imported("dentex", path, tmp_path / "out")
    left_out: list[str] = []
    dataset, _ = imported("dentex", path, tmp_path / "skipped", left_out)
    assert categories(dataset) == [["11"], ["38", "46", "41"], []]
    assert len(left_out) == 1


def test_unreadable_and_wrong_size(tmp_path: Path) -> None:
    path = enumeration(tmp_path / "s")
    path.write_text(path.read_text()[:300])
    with pytest.raises(DatasetError, match=rf"it is not readable JSON .*; .*{ADDRESS}"):
        imported("dentex", path, tmp_path / "1")
    path.write_text("[" * 100000)
    with pytest.raises(DatasetError, match="it is not readable JSON .nested more than 100 levels deep.; "):
        imported("dentex", path, tmp_path / "2")
    write_json(path, content())
    picture(path.parent / "xrays" / "train_1.png", width=61)
    with pytest.raises(DatasetError, match=r"image 1: it is 60x40 there, .* has 61x40 pixels; put the published"):
        imported("dentex", path, tmp_path / "3")
