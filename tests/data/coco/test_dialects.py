"""COCO as tools write it: what is taken for an object, what is passed over with a word, and where the images are."""

import json
import math
import unicodedata
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from dentasam.data.coco.passed_over import PassedOverAnnotation, Reason
from dentasam.data.dataset import Dataset, ObjectRecord
from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import export_dataset, import_dataset
from dentasam.data.quality.check import find_problems
from dentasam.data.splits.split import split
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError
from dentasam.training.samples.sources import DatasetSource

from ..coco_files import FILLING, HEIGHT, SQUARE, TOOTH, WIDTH, compressed, content, images, uncompressed, write


def changed(position: int = 2, **values: Any) -> dict[str, Any]:
    coco = content()
    coco["annotations"][position] |= values
    return coco


def drawn(polygons: list[list[float]]) -> np.ndarray:
    coded = coco_mask.merge(coco_mask.frPyObjects(polygons, HEIGHT, WIDTH))
    return coco_mask.decode(coded).astype(bool)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(DatasetError) as caught:
        Dataset.load(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Masks


@pytest.mark.parametrize(
    ("polygons", "why"),
    [
        ([SQUARE[0], [40.0, 5.0, 50.0, 15.0]], Reason.ring),
        ([SQUARE[0], [40, 5, 50, 15, 45, 20, 3]], Reason.ring),
        ([[40, 5, 50, math.nan, 45, 20], SQUARE[0]], Reason.ring),
        ([SQUARE[0], [40, 5, math.inf, 15, 45, 20]], Reason.ring),
        ([SQUARE[0], []], Reason.ring),
        ([SQUARE[0], [40, 5, 10**400, 15, 45, 20]], Reason.ring),
        ([], Reason.no_mask),
        (..., Reason.no_mask),
        ([[1, 1, 9, 9]], Reason.no_ring),
        ([[1, 1, 9, 9, 5, 1, 2]], Reason.no_ring),
        ([[1, 1, 9, 9, 5, math.nan]], Reason.no_ring),
        ([1, 1, 9, 9], Reason.no_ring),
        ([[]], Reason.no_ring),
    ],
)
def test_a_bad_ring_or_a_box_alone_is_passed_over_and_the_rest_loads(
    tmp_path: Path, polygons: Any, why: Reason
) -> None:
    coco = changed(segmentation=polygons)
    if polygons is ...:
        del coco["annotations"][2]["segmentation"]
    path = write(tmp_path, coco)
    dataset = Dataset.load(path)
    assert dataset.passed_over == (PassedOverAnnotation(1, 5, why),)
    assert len(dataset.notes) == 1
    assert "id 5" in dataset.notes[0]
    masks = dataset.images[0].masks()
    np.testing.assert_array_equal(masks[:2], [TOOTH, FILLING])
    assert len(masks) == (3 if why is Reason.ring else 2)
    if why is Reason.ring:
        np.testing.assert_array_equal(masks[2], drawn(SQUARE))
    warnings = [(problem.annotation, problem.severity) for problem in find_problems(path)]
    assert (5, "warning") in warnings
    assert "error" not in {severity for _, severity in warnings}


def test_notes_count_and_name_what_was_passed_over(tmp_path: Path) -> None:
    coco = content()
    coco["annotations"] += [{"id": id, "image_id": 1, "category_id": 11, "segmentation": []} for id in range(10, 22)]
    (line,) = Dataset.load(write(tmp_path, coco)).notes
    assert line.startswith(
        "12 annotations have no mask, at most a box: passed over (ids 10, 11, 12, 13, 14, 15, 16, 17 "
    )
    assert "and 4 more); draw" in line


def test_a_file_without_any_mask_is_refused(tmp_path: Path) -> None:
    coco = content()
    for item in coco["annotations"]:
        item["segmentation"] = []
    assert "none of its 3 annotations has a mask; export masks" in refusal(write(tmp_path, coco))
    # One without any annotation holds images that are still to be labelled.
    assert Dataset.load(write(tmp_path, content() | {"annotations": []})).objects == 0


def test_a_flat_list_is_one_ring(tmp_path: Path) -> None:
    (record,) = Dataset.load(write(tmp_path, changed(segmentation=SQUARE[0]))).images[0].objects[2:]
    np.testing.assert_array_equal(record.mask(HEIGHT, WIDTH), drawn(SQUARE))


BOWTIES = [
    [[10.0, 10.0, 30.0, 30.0, 30.0, 10.0, 10.0, 30.0]],
    [[5.0, 5.0, 50.0, 35.0, 50.0, 5.0, 5.0, 35.0, 20.0, 2.0]],
    # A star, whose middle is crossed twice; two rings that overlap; a hole's ring, which COCO fills.
    [[30.0, 2.0, 42.0, 38.0, 10.0, 15.0, 50.0, 15.0, 18.0, 38.0]],
    [SQUARE[0], [20.0, 5.0, 40.0, 5.0, 40.0, 20.0, 20.0, 20.0]],
    [[-5.0, -5.0, 70.0, 50.0, 70.0, -5.0, -5.0, 50.0]],
]


@pytest.mark.parametrize("polygons", BOWTIES)
def test_polygons_that_cross_are_drawn_as_pycocotools_draws_them(tmp_path: Path, polygons: list[list[float]]) -> None:
    source = write(tmp_path / "in", changed(segmentation=polygons))
    np.testing.assert_array_equal(Dataset.load(source).images[0].masks()[2], drawn(polygons))
    written = COCO(str(import_dataset("coco", source, tmp_path / "out")))
    np.testing.assert_array_equal(written.annToMask(written.anns[5]), drawn(polygons))
    assert written.anns[5]["area"] == drawn(polygons).sum()


# Crowds


@pytest.mark.parametrize("segmentation", [compressed(TOOTH), uncompressed(TOOTH), SQUARE])
def test_a_crowd_is_kept_and_is_no_object(tmp_path: Path, segmentation: Any) -> None:
    source = write(tmp_path / "in", changed(iscrowd=1, segmentation=segmentation))
    dataset = Dataset.load(source)
    image = dataset.images[0]
    assert [record.id for record in image.objects] == [1, 2]
    assert [record.id for record in image.crowds] == [5]
    assert dataset.objects == 2
    assert DatasetSource(dataset).records[0].objects == image.objects
    (line,) = dataset.notes
    assert "1 annotation has iscrowd 1, a region of many objects: kept, and neither trained" in line
    assert "--crowd-as-objects" in line

    reported: list[str] = []
    path = import_dataset("coco", source, tmp_path / "out", ImportOptions(report=reported.append))
    assert reported == [line]
    written = json.loads(path.read_text())["annotations"]
    assert {item["id"]: item["iscrowd"] for item in written} == {1: 0, 2: 0, 5: 1}
    export_dataset("coco", Dataset.load(path), tmp_path / "again")
    again = Dataset.load(tmp_path / "again" / "dataset.json")
    expected = drawn(SQUARE) if segmentation is SQUARE else TOOTH
    np.testing.assert_array_equal(again.images[0].crowds[0].mask(HEIGHT, WIDTH), expected)
    for name in ("png", "labels"):
        notes = export_dataset(name, dataset, tmp_path / name)
        assert "1 region of many objects (iscrowd 1) left out; coco keeps them" in notes


def test_a_file_of_crowds_alone_has_nothing_to_train_on_and_is_split_no_part(tmp_path: Path) -> None:
    coco = content()
    for item in coco["annotations"]:
        item["iscrowd"] = 1
    dataset = Dataset.load(write(tmp_path, coco))
    assert dataset.objects == 0
    assert "3 annotations have iscrowd 1" in dataset.notes[0]
    with pytest.raises(DatasetError, match="no image has an object"):
        DatasetSource(dataset)
    with pytest.raises(DatasetError, match="has 0 images with objects"):
        split(dataset, {"train": 0.5, "test": 0.5})
    warnings = [problem for problem in find_problems(dataset.path) if "iscrowd" in problem.what]
    assert len(warnings) == 1
    assert "ids 1, 2, 5" in warnings[0].what


def test_masks_of_cvat_become_objects_where_the_user_says_so(tmp_path: Path) -> None:
    coco = content()
    for item in coco["annotations"]:
        item["iscrowd"] = 1
    source = write(tmp_path / "in", coco)
    path = import_dataset("coco", source, tmp_path / "out", ImportOptions(crowd_as_objects=True))
    dataset = Dataset.load(path)
    np.testing.assert_array_equal(dataset.images[0].masks(), [TOOTH, FILLING, drawn(SQUARE)])
    assert dataset.notes == []
    assert {item["iscrowd"] for item in json.loads(path.read_text())["annotations"]} == {0}
    with pytest.raises(DatasetError, match="crowds as objects can be given only for the format coco"):
        import_dataset("png", source, tmp_path / "png", ImportOptions(crowd_as_objects=True))


# Categories


def test_the_root_of_roboflow_is_passed_over(tmp_path: Path) -> None:
    coco = content()
    coco["annotations"] = coco["annotations"][:1]
    coco["annotations"][0]["category_id"] = 1
    root, child = {"id": 0, "name": "teeth", "supercategory": "none"}, {"id": 1, "name": "teeth"}
    coco["categories"] = [root, child | {"supercategory": "teeth"}]
    dataset = Dataset.load(write(tmp_path, coco))
    assert [(category.id, category.name) for category in dataset.categories] == [(1, "teeth")]
    assert [record.category for record in dataset.images[0].objects] == ["teeth"]
    assert not [problem for problem in find_problems(dataset.path) if "categor" in problem.what]
    # Nothing is annotated yet: the root is the one that the other lies under.
    coco["annotations"] = []
    assert [category.id for category in Dataset.load(write(tmp_path, coco)).categories] == [1]
    # Two that are both in use are two categories of one name.
    coco["annotations"] = content()["annotations"][:2]
    coco["annotations"][0]["category_id"], coco["annotations"][1]["category_id"] = 0, 1
    assert "category 1 'teeth' is there twice" in refusal(write(tmp_path, coco))


def test_numbers_as_names_are_text(tmp_path: Path) -> None:
    coco = content()
    coco["categories"][0]["name"], coco["categories"][1]["name"] = 11, 36.0
    dataset = Dataset.load(write(tmp_path, coco))
    assert [record.category for record in dataset.images[0].objects] == ["36", "restoration", "11"]
    coco["categories"][1]["name"] = "11"
    assert "category 36 '11' is there twice" in refusal(write(tmp_path, coco))


@pytest.mark.parametrize("name", [True, 1.5, None, [], ""])
def test_what_is_no_name_is_refused(tmp_path: Path, name: Any) -> None:
    coco = content()
    coco["categories"][0]["name"] = name
    assert "categories[0] has no whole-number id or no name" in refusal(write(tmp_path, coco))


# Where the images are


def layout(root: Path, json_name: str, folder: str, names: tuple[str, str] = ("a.png", "b.png")) -> Path:
    """The small dataset with its JSON and its images at these places."""
    coco = content()
    for item, name, pixels in zip(coco["images"], names, images().values(), strict=True):
        item["file_name"] = name
        (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / folder / name)
    path = root / json_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(coco))
    return path


@pytest.mark.parametrize(
    ("json_name", "folder"),
    [
        ("set.json", "."),
        ("set.json", "images"),
        ("train/_annotations.coco.json", "train"),
        ("annotations/instances_default.json", "images"),
        ("annotations/instances_default.json", "images/default"),
        ("annotations/instances_Train.json", "images/Train"),
        ("annotations/instances_val2017.json", "val2017"),
        ("annotations/instances_default.json", "."),
        ("Annotations/instances_default.json", "images"),
    ],
)
def test_images_are_found_where_tools_put_them(tmp_path: Path, json_name: str, folder: str) -> None:
    path = layout(tmp_path, json_name, folder)
    dataset = Dataset.load(path)
    assert dataset.image_folder == (tmp_path / folder)
    for image, pixels in zip(dataset.images, images().values(), strict=True):
        np.testing.assert_array_equal(image.read(), pixels)
    out = import_dataset("coco", path, tmp_path / "out")
    assert [image.file_name for image in Dataset.load(out).images] == ["images/a.png", "images/b.png"]


def test_the_folder_that_holds_most_of_the_images_is_taken(tmp_path: Path) -> None:
    path = layout(tmp_path, "annotations/instances_default.json", "images/default")
    # A picture of the same name elsewhere is another picture.
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(tmp_path / "annotations" / "a.png")
    np.testing.assert_array_equal(Dataset.load(path).images[0].read(), images()["images/a.png"])


def test_the_folder_of_the_images_can_be_named(tmp_path: Path) -> None:
    path = layout(tmp_path, "labels/set.json", "elsewhere/scans")
    assert "its file 'a.png' is missing in" in refusal(path)
    dataset = Dataset.load(path, images=tmp_path / "elsewhere" / "scans")
    np.testing.assert_array_equal(dataset.images[0].read(), images()["images/a.png"])
    assert not [p for p in find_problems(path, tmp_path / "elsewhere" / "scans") if p.severity == "error"]
    assert "is not a folder; name the folder that holds the dataset's images" in refusal(path, images=tmp_path / "no")
    # Named means named: no other place is looked at.
    near = layout(tmp_path / "near", "set.json", ".")
    assert "is missing in" in refusal(near, images=tmp_path / "labels")


def test_absolute_paths_inside_the_folder_are_taken_and_others_refused(tmp_path: Path) -> None:
    coco = content()
    coco["images"][0]["file_name"] = str(tmp_path / "in" / "images" / "a.png")
    path = write(tmp_path / "in", coco)
    dataset = Dataset.load(path)
    assert (dataset.images[0].path, dataset.images[0].file_name) == (tmp_path / "in/images/a.png", "images/a.png")
    moved = json.loads(import_dataset("coco", path, tmp_path / "out").read_text())
    assert moved["images"][0]["file_name"] == "images/a.png"
    for outside in (tmp_path / "other.png", tmp_path / "in" / ".." / "other.png", tmp_path / "in-beside" / "a.png"):
        outside.parent.mkdir(exist_ok=True)
        Image.fromarray(images()["images/a.png"]).save(outside)
        coco["images"][0]["file_name"] = str(outside)
        assert "leaves the dataset's folder" in refusal(write(tmp_path / "in", coco))


NFC, NFD = (unicodedata.normalize(form, "Müller/Zähne é.png") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(("written", "stored"), [(NFC, NFD), (NFD, NFC), (NFC, NFC), (NFD, NFD)])
def test_accents_are_matched_in_both_forms(tmp_path: Path, written: str, stored: str) -> None:
    path = layout(tmp_path, "set.json", "images", (stored, "b.png"))
    coco = json.loads(path.read_text())
    coco["images"][0]["file_name"] = f"images/{written}"
    coco["images"][1]["file_name"] = "images/b.png"
    path.write_text(json.dumps(coco))
    dataset = Dataset.load(path)
    assert dataset.images[0].path == tmp_path / "images" / stored
    np.testing.assert_array_equal(dataset.images[0].read(), images()["images/a.png"])


def test_the_exact_form_goes_first_and_two_others_are_refused(tmp_path: Path) -> None:
    # Three spellings of one name: composed, decomposed, and with the marks in another order.
    names = ["ẹ́.png", "e\u0323\u0301.png", "e\u0301\u0323.png"]
    assert len({unicodedata.normalize("NFC", name) for name in names}) == 1
    path = layout(tmp_path, "set.json", ".", (names[1], names[2]))
    assert [image.path.name for image in Dataset.load(path).images] == names[1:]
    coco = json.loads(path.read_text())
    coco["images"][0]["file_name"] = names[0]
    path.write_text(json.dumps(coco))
    assert "may be either of" in refusal(path)


# Several JSONs


def in_parts(folder: Path, places: dict[str, tuple[str, str]]) -> Path:
    """A JSON for each part of a dataset, ids from 0 in each: places of the JSON and of the image by part."""
    for number, (part, (json_name, image_name)) in enumerate(places.items()):
        for name in (json_name, image_name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (WIDTH, HEIGHT), number).save(folder / image_name)
        segmentation = [[10.0, 10.0, 20.0 + number, 10.0, 20.0, 25.0]]
        document = {
            "images": [{"id": 0, "file_name": Path(image_name).name, "width": WIDTH, "height": HEIGHT}],
            "annotations": [{"id": 0, "image_id": 0, "category_id": number + 1, "segmentation": segmentation}],
            "categories": [{"id": number + 1, "name": "36"}, {"id": 7 - number, "name": part}],
        }
        (folder / json_name).write_text(json.dumps(document))
    return folder


LAYOUTS = {
    "roboflow": {part: (f"{part}/_annotations.coco.json", f"{part}/a.png") for part in ("test", "train", "valid")},
    "cvat": {part: (f"annotations/instances_{part}.json", f"images/{part}/a.png") for part in ("Test", "Train")},
    "coco": {part: (f"annotations/instances_{part}.json", f"{part}/a.png") for part in ("train2017", "val2017")},
}


@pytest.mark.parametrize("places", LAYOUTS.values(), ids=LAYOUTS)
def test_the_parts_of_a_dataset_become_one(tmp_path: Path, places: dict[str, tuple[str, str]]) -> None:
    source = in_parts(tmp_path / "in", places)
    if (source / "annotations").is_dir():
        # As COCO itself has them beside its masks.
        (source / "annotations" / "captions_train.json").write_text('{"images": [], "annotations": []}')
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for file in source.rglob("*.*"):
            archive.write(file, file.relative_to(source))
    for given in (source, tmp_path / "in.zip"):
        path = import_dataset(None, given, tmp_path / f"out {given.name}")
        dataset = Dataset.load(path)
        assert [image.file_name for image in dataset.images] == [f"images/{part}/a.png" for part in places]
        assert [image.id for image in dataset.images] == list(range(1, len(places) + 1))
        assert [int(image.read()[0, 0]) for image in dataset.images] == list(range(len(places)))
        assert [[record.category for record in image.objects] for image in dataset.images] == [["36"]] * len(places)
        assert not [problem for problem in find_problems(path) if problem.severity == "error"]


def test_ids_from_0_are_given_anew(tmp_path: Path) -> None:
    coco = content()
    for kind in ("images", "annotations"):
        for number, item in enumerate(coco[kind]):
            item["id"] = number
    for item in coco["annotations"]:
        item["image_id"] = 0
    path = import_dataset("coco", write(tmp_path / "in", coco), tmp_path / "out")
    dataset = Dataset.load(path)
    assert [image.id for image in dataset.images] == [1, 2]
    assert [record.id for record in dataset.images[0].objects] == [1, 2, 3]


def test_several_jsons_that_are_no_parts_are_named(tmp_path: Path) -> None:
    source = write(tmp_path / "in").parent
    (source / "set.json").rename(source / "a.json")
    (source / "b.json").write_text((source / "a.json").read_text())
    with pytest.raises(DatasetError, match=r"in holds 2 COCO JSONs \(a\.json, b\.json\); name one of them"):
        import_dataset("coco", source, tmp_path / "out")


def test_results_of_a_detector_alone(tmp_path: Path) -> None:
    results = [{"image_id": 1, "category_id": 36, "segmentation": compressed(TOOTH), "score": 0.9}]
    path = write(tmp_path / "in", results)
    with pytest.raises(DatasetError, match=r"set\.json: is a list of results.*names no image files.*; put it as"):
        import_dataset(None, path, tmp_path / "out")
    assert "is a list of results" in refusal(path)


def test_a_number_of_thousands_of_digits_is_a_name(tmp_path: Path) -> None:
    long = "9" * 5000
    dataset = Dataset.load(write(tmp_path / "in"))
    image = replace(dataset.images[0], objects=(ObjectRecord.from_mask(1, long, TOOTH),))
    written = Dataset(tmp_path / "in" / "set.json", (image,)).write(tmp_path / "in" / "other.json")
    assert [(each.id, each.name) for each in Dataset.load(written).categories] == [(101, long)]


@pytest.mark.parametrize(("numbering", "names"), [("universal", ["19", "8"]), ("palmer", ["LL6", "UR1"])])
def test_a_file_that_states_another_numbering_has_fdi_numbers_when_it_is_loaded(
    tmp_path: Path, numbering: str, names: list[str]
) -> None:
    coco = content()
    coco["info"] = {"numbering": numbering, "description": "kept"}
    coco["categories"][1]["name"], coco["categories"][0]["name"] = names
    dataset = Dataset.load(write(tmp_path, coco))
    assert [record.category for record in dataset.images[0].objects] == ["36", "restoration", "11"]
    assert {category.name for category in dataset.categories} == {"36", "11", "restoration"}
    assert dataset.info == {"description": "kept"}
    # An import converts once, whether the file or the user says it.
    for number, options in enumerate((ImportOptions(), ImportOptions(numbering=Numbering(numbering)))):
        path = import_dataset("coco", tmp_path / "set.json", tmp_path / str(number), options)
        assert [record.category for record in Dataset.load(path).images[0].objects] == ["36", "restoration", "11"]
