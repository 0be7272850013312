"""Each format out and in again: images byte for byte, masks pixel for pixel, and what cannot be kept."""

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import choose, export_dataset, import_dataset, write_annotations
from dentasam.errors import DatasetError, ImageError, OutputError

from ..coco_files import FILLING, HEIGHT, TOOTH, WIDTH, block, compressed, content, images, write

# The formats of our own; those of other tools have tests in files of their own.
FOLDERS = ["coco", "png", "labels"]


def disjoint() -> dict[str, object]:
    """The small dataset without overlap, which label images can keep."""
    coco = content()
    coco["annotations"] = [
        {"id": 3, "image_id": 1, "category_id": 36, "segmentation": compressed(block(2, 3, 20, 9))},
        {"id": 8, "image_id": 1, "category_id": 36, "segmentation": compressed(block(2, 9, 20, 14))},
        {"id": 9, "image_id": 2, "category_id": 99, "segmentation": compressed(TOOTH)},
    ]
    return coco


def source_of(name: str, exported: Path) -> Path:
    return exported / "dataset.json" if name == "coco" else exported


@pytest.mark.parametrize("name", FOLDERS)
def test_out_and_in_again(tmp_path: Path, name: str) -> None:
    before = Dataset.load(write(tmp_path / "source", disjoint() if name == "labels" else content()))
    notes = export_dataset(name, before, tmp_path / "out")
    assert notes == ()
    path = import_dataset(name, source_of(name, tmp_path / "out"), tmp_path / "back")
    assert path == tmp_path / "back" / "dataset.json"
    after = Dataset.load(path)
    assert len(after.images) == 2
    for old, new in zip(before.images, after.images, strict=True):
        assert new.path.is_relative_to(tmp_path / "back" / "images")
        assert (new.file_name, new.tags, new.width) == (old.file_name, old.tags, old.width)
        assert new.path.read_bytes() == old.path.read_bytes()
        assert [item.category for item in new.objects] == [item.category for item in old.objects]
        np.testing.assert_array_equal(new.masks(), old.masks())


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_in_use_is_left_alone(tmp_path: Path, name: str) -> None:
    dataset = Dataset.load(write(tmp_path / "source"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    with pytest.raises(OutputError, match=r"out is in use \(it holds notes\.txt\); choose another folder"):
        export_dataset(name, dataset, tmp_path / "out")
    with pytest.raises(OutputError, match=r"notes\.txt is a file; name a folder"):
        export_dataset(name, dataset, tmp_path / "out" / "notes.txt")


def test_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="dicomdir is not a known format; choose one of coco, png, labels"):
        import_dataset("dicomdir", tmp_path, tmp_path / "out")


def test_coco_brings_polygons_as_rle(tmp_path: Path) -> None:
    coco = json.loads(import_dataset("coco", write(tmp_path / "s"), tmp_path / "out").read_text())
    assert all(isinstance(item["segmentation"]["counts"], str) for item in coco["annotations"])


def test_images_of_one_name_are_told_apart(tmp_path: Path) -> None:
    coco = content()
    coco["images"][1]["file_name"] = "a.png"
    source = write(tmp_path / "source", coco)
    Image.fromarray(images()["images/deep/b.png"]).save(tmp_path / "source" / "a.png")
    first, second = Dataset.load(import_dataset("coco", source, tmp_path / "out")).images
    np.testing.assert_array_equal(first.read(), images()["images/a.png"])
    np.testing.assert_array_equal(second.read(), images()["images/deep/b.png"])


def png_folder(folder: Path) -> Path:
    """A folder as other tools write it."""
    masks = folder / "masks" / "a"
    masks.mkdir(parents=True)
    (folder / "images").mkdir()
    Image.fromarray(images()["images/a.png"]).save(folder / "images" / "a.png")
    Image.fromarray(TOOTH).save(masks / "36.png")
    Image.fromarray(FILLING.astype(np.uint8) * 7).convert("RGB").save(masks / "2_restoration.png")
    return folder


def test_png_of_another_tool(tmp_path: Path) -> None:
    (record,) = Dataset.load(import_dataset("png", png_folder(tmp_path / "in"), tmp_path / "out")).images
    assert [item.category for item in record.objects] == ["restoration", "36"]
    np.testing.assert_array_equal(record.masks(), [FILLING, TOOTH])


def test_png_keeps_any_category_name(tmp_path: Path) -> None:
    coco = content()
    coco["categories"][2]["name"] = "../root / canal_2 Füllung%"
    before = Dataset.load(write(tmp_path / "source", coco))
    export_dataset("png", before, tmp_path / "out")
    files = [file for file in tmp_path.rglob("*.png") if "masks" in file.parts]
    assert {file.parent for file in files} == {tmp_path / "out" / "masks" / "a"}
    after = Dataset.load(import_dataset("png", tmp_path / "out", tmp_path / "back"))
    assert after.images[0].objects[1].category == "../root / canal_2 Füllung%"


def test_png_errors(tmp_path: Path) -> None:
    folder = png_folder(tmp_path / "in")
    Image.fromarray(TOOTH & False).save(folder / "masks" / "a" / "37.png")
    with pytest.raises(DatasetError, match=r"37\.png: the mask is empty; delete the file or draw it again"):
        import_dataset("png", folder, tmp_path / "1")
    Image.fromarray(TOOTH[1:]).save(folder / "masks" / "a" / "37.png")
    with pytest.raises(DatasetError, match=r"37\.png has 60x39 pixels, its image 60x40; export the mask again"):
        import_dataset("png", folder, tmp_path / "2")
    (folder / "masks" / "a" / "37.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"37\.png is empty"):
        import_dataset("png", folder, tmp_path / "3")
    (folder / "masks" / "a" / "37.png").unlink()
    (folder / "masks" / "a").rename(folder / "masks" / "b")
    with pytest.raises(DatasetError, match="masks/b: no image of this name in 'images'; rename the folder"):
        import_dataset("png", folder, tmp_path / "4")


def flat(folder: Path, *names: str) -> Path:
    """Masks in one folder, beside images with the names `pano` and `pano 2`."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for stem in ("pano", "pano 2"):
        Image.fromarray(images()["images/a.png"]).save(folder / "images" / f"{stem}.jpg", "PNG")
    for name in names:
        Image.fromarray(TOOTH.astype(np.uint8) * 255).save(folder / "masks" / name)
    return folder


def test_png_masks_named_as_their_images(tmp_path: Path) -> None:
    names = ["pano.png", "pano_mask.tif", "pano-36.png", "pano_7_37.png", "pano_003_caries.tiff", "pano 2-11.PNG"]
    lines: list[str] = []
    source = flat(tmp_path / "in", *names)
    assert choose(None, [source])[0] == "png"
    path = import_dataset("png", source, tmp_path / "out", ImportOptions(report=lines.append))
    by_name = {image.file_name: image for image in Dataset.load(path).images}
    assert [record.category for record in by_name["images/pano 2.jpg"].objects] == ["11"]
    assert sorted(record.category for record in by_name["images/pano.jpg"].objects) == sorted(
        ["36", "object", "caries", "37", "object"]
    )
    for image in by_name.values():
        assert (image.masks() == TOOTH).all()
    assert lines == ["masks named as their images alone: 2; their category is 'object'"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pane-36.png", r"masks/pane-36\.png: no image of this name in 'images'; rename the mask"),
        ("pano_001.png", r"masks/pano_001\.png: 001 is not the number of a tooth; name it"),
        ("pano_3-36.png", r"masks/pano_3-36\.png may be of pano\.jpg and pano_3\.jpg; put the masks of each"),
    ],
)
def test_png_masks_whose_names_leave_doubt(tmp_path: Path, name: str, message: str) -> None:
    source = flat(tmp_path / "in", name)
    (source / "images" / "pano 2.jpg").rename(source / "images" / "pano_3.jpg")
    with pytest.raises(DatasetError, match=message):
        import_dataset("png", source, tmp_path / "out")


def test_labels_in_tiff(tmp_path: Path) -> None:
    folder = labels_folder(tmp_path / "in")
    Image.fromarray(TOOTH * np.uint16(36)).save(folder / "labels" / "a.tiff")
    with pytest.raises(
        DatasetError, match=r"labels/a\.png and a\.tiff are labels of one image; take one of them out"
    ):
        import_dataset("labels", folder, tmp_path / "1")
    (folder / "labels" / "a.png").unlink()
    assert choose(None, [folder])[0] == "labels"
    (record,) = Dataset.load(import_dataset("labels", folder, tmp_path / "out")).images
    assert [item.category for item in record.objects] == ["36"]
    np.testing.assert_array_equal(record.masks(), [TOOTH])


@pytest.mark.parametrize("name", ["png", "labels"])
def test_a_folder_without_images(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="has no folder 'images'; put the radiographs there"):
        import_dataset(name, tmp_path, tmp_path / "out1")
    (tmp_path / "images").mkdir()
    with pytest.raises(DatasetError, match="images holds no PNG, JPEG, TIFF or DICOM image"):
        import_dataset(name, tmp_path, tmp_path / "out2")
    with pytest.raises(DatasetError, match="none does not exist; check the path"):
        import_dataset(name, tmp_path / "none", tmp_path / "out3")


def test_labels_keep_the_smaller_object_and_tell_what_was_lost(tmp_path: Path) -> None:
    coco = content()
    # Below the filling and of the same outline: nothing of it is left.
    coco["annotations"].append({"id": 9, "image_id": 1, "category_id": 99, "segmentation": compressed(FILLING)})
    notes = export_dataset("labels", Dataset.load(write(tmp_path / "source", coco)), tmp_path / "out")
    assert notes == ("of 4 objects 2 lost pixels to overlap and 1 vanished; the format png keeps them",)
    labels = np.asarray(Image.open(tmp_path / "out" / "labels" / "a.png"))
    assert labels.dtype == np.uint16
    assert (labels[FILLING] == 4).all()
    assert (labels[TOOTH & ~FILLING & ~block(10, 10, 25, 30)] == 1).all()
    names = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert names["a.png"] == {"1": "36", "2": "restoration", "3": "11", "4": "restoration"}


def labels_folder(folder: Path) -> Path:
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    Image.fromarray(images()["images/a.png"]).save(folder / "images" / "a.jpg")
    labels = TOOTH * np.uint8(36) + block(32, 2, 38, 9) * np.uint8(200)
    Image.fromarray(labels).save(folder / "labels" / "a.png")
    return folder


def test_labels_of_another_tool_are_fdi_numbers(tmp_path: Path) -> None:
    folder = labels_folder(tmp_path / "in")
    (record,) = Dataset.load(import_dataset("labels", folder, tmp_path / "out")).images
    assert [item.category for item in record.objects] == ["36", "200"]
    np.testing.assert_array_equal(record.masks(), [TOOTH, block(32, 2, 38, 9)])


@pytest.mark.parametrize("content", ['{"36": "46", "200": "root"}', '{"a.jpg": {"36": "46"}, "200": "root"}'])
def test_labels_named_for_all_images(tmp_path: Path, content: str) -> None:
    folder = labels_folder(tmp_path / "in")
    (folder / "labels.json").write_text(content)
    (record,) = Dataset.load(import_dataset("labels", folder, tmp_path / "out")).images
    assert [item.category for item in record.objects] == ["46", "root"]


def test_names_that_do_not_fit_are_not_passed_over(tmp_path: Path) -> None:
    folder = labels_folder(tmp_path / "in")
    (folder / "labels.json").write_text('{"a.png": {"36": "46", "200": "root"}}')
    with pytest.raises(DatasetError, match=r"labels\.json: value 36 of a\.jpg has no category; add it there"):
        import_dataset("labels", folder, tmp_path / "1")
    (folder / "labels.json").write_text('{"a.jpg": {"36": "46", "200": "root", "36": "47"}}')
    with pytest.raises(
        DatasetError, match=r"labels\.json has the key '36' twice in one object; take one of them out"
    ):
        import_dataset("labels", folder, tmp_path / "2")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_radiograph_in_the_place_of_labels(tmp_path: Path, dtype: type) -> None:
    folder = labels_folder(tmp_path / "in")
    noise: np.ndarray = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(dtype)
    Image.fromarray(noise).save(folder / "labels" / "a.png")
    many = r"labels/a\.png has 2399 values; is it a label image\? save one"
    message = r"its value 1 is not an FDI number" if dtype is np.uint8 else many
    with pytest.raises(DatasetError, match=message):
        import_dataset("labels", folder, tmp_path / "out")


def test_labels_with_a_palette_are_the_indices(tmp_path: Path) -> None:
    folder = labels_folder(tmp_path / "in")
    image = Image.fromarray(TOOTH * np.uint8(11))
    image.putpalette([0, 0, 0] + [200, 30, 90] * 255)
    image.save(folder / "labels" / "a.png")
    assert Image.open(folder / "labels" / "a.png").mode == "P"
    (record,) = Dataset.load(import_dataset("labels", folder, tmp_path / "out")).images
    assert [item.category for item in record.objects] == ["11"]
    np.testing.assert_array_equal(record.masks(), [TOOTH])


def test_labels_errors(tmp_path: Path) -> None:
    folder = labels_folder(tmp_path / "in")
    (folder / "labels.json").write_text('{"a.jpg": {"36": "molar"}}')
    with pytest.raises(DatasetError, match=r"labels\.json: value 200 of a\.jpg has no category; add it there"):
        import_dataset("labels", folder, tmp_path / "1")
    (folder / "labels.json").write_text("{")
    with pytest.raises(DatasetError, match=r"labels\.json is not readable JSON .*; correct it"):
        import_dataset("labels", folder, tmp_path / "2")
    (folder / "labels.json").unlink()
    (folder / "tags.json").write_text('{"a.jpg": "blurred"}')
    with pytest.raises(DatasetError, match=r"tags\.json: the tags of a\.jpg are not a list of strings"):
        import_dataset("labels", folder, tmp_path / "3")
    (folder / "tags.json").unlink()
    Image.fromarray(np.zeros((HEIGHT, WIDTH - 1), np.uint8)).save(folder / "labels" / "a.png")
    with pytest.raises(DatasetError, match=r"a\.png has 59x40 pixels, its image 60x40; export the labels"):
        import_dataset("labels", folder, tmp_path / "4")
    Image.new("RGB", (WIDTH, HEIGHT), (1, 0, 0)).save(folder / "labels" / "a.png")
    with pytest.raises(DatasetError, match=r"a\.png is a colour image; save the labels as"):
        import_dataset("labels", folder, tmp_path / "6")
    (folder / "labels" / "a.png").unlink()
    with pytest.raises(DatasetError, match=r"labels/a\.png is missing; put the label image of a\.jpg there"):
        import_dataset("labels", folder, tmp_path / "5")


@pytest.mark.parametrize("name", ["png", "labels"])
def test_images_that_differ_in_suffix_alone(tmp_path: Path, name: str) -> None:
    coco = disjoint()
    coco["images"][1]["file_name"] = "images/a.tif"  # type: ignore[index]
    source = write(tmp_path / "source", coco)
    Image.fromarray(images()["images/deep/b.png"]).save(tmp_path / "source" / "images" / "a.tif")
    before = Dataset.load(source)
    export_dataset(name, before, tmp_path / "out")
    after = Dataset.load(import_dataset(name, tmp_path / "out", tmp_path / "back"))
    for old, new in zip(before.images, after.images, strict=True):
        np.testing.assert_array_equal(new.masks(), old.masks())
        np.testing.assert_array_equal(new.read(), old.read())


@pytest.mark.parametrize("turned", ["masks", "images"])
@pytest.mark.parametrize("name", ["png", "labels"])
def test_accents_in_either_form_between_images_and_masks(tmp_path: Path, name: str, turned: str) -> None:
    coco = disjoint()
    coco["images"][0]["file_name"] = "images/Zähne.png"  # type: ignore[index]
    write(tmp_path / "source", coco)
    (tmp_path / "source" / "images" / "a.png").rename(tmp_path / "source" / "images" / "Zähne.png")
    before = Dataset.load(tmp_path / "source" / "set.json")
    export_dataset(name, before, tmp_path / "out")
    # As a copy by way of a Mac: the images' names in one form, those of the masks in the other.
    for path in sorted((tmp_path / "out").glob("[ml]*/Z*" if turned == "masks" else "images/Z*")):
        path.rename(path.with_name(unicodedata.normalize("NFD", path.name)))
    for path in (tmp_path / "out").glob("*.json") if turned == "masks" else ():
        text = json.dumps(json.loads(path.read_text()), ensure_ascii=False)
        path.write_text(unicodedata.normalize("NFD", text), encoding="utf-8")
    after = Dataset.load(import_dataset(name, tmp_path / "out", tmp_path / "back"))
    by_name = {unicodedata.normalize("NFC", image.file_name): image for image in after.images}
    assert by_name["images/Zähne.png"].tags == ("blurred",)
    assert [item.category for item in by_name["images/Zähne.png"].objects] == ["36", "36"]
    np.testing.assert_array_equal(by_name["images/Zähne.png"].masks(), before.images[0].masks())


@pytest.mark.parametrize("name", ["png", "labels"])
def test_what_looks_like_an_image_and_is_not_imported_is_named(tmp_path: Path, name: str) -> None:
    source = tmp_path / "out"
    lines: list[str] = []
    export_dataset(name, Dataset.load(write(tmp_path / "source", disjoint())), source)
    Image.new("L", (WIDTH, HEIGHT)).save(source / "images" / "other.bmp")
    Image.new("L", (WIDTH, HEIGHT)).save(source / "images" / "other.dat", "PNG")
    (source / "images" / "notes.txt").touch()
    (source / "images" / "._a.png").touch()
    path = import_dataset(name, source, tmp_path / "back", ImportOptions(report=lines.append))
    assert len(Dataset.load(path).images) == 2
    assert lines == [
        "images/other.bmp is left out: it is BMP, which is not read; convert it to PNG",
        "images/other.dat is left out: it is PNG under another name; rename it to .png",
    ]


def test_images_without_suffix_are_imported(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks" / "scan").mkdir(parents=True)
    Image.new("L", (WIDTH, HEIGHT), 90).save(tmp_path / "images" / "scan", "PNG")
    Image.fromarray(TOOTH.astype(np.uint8) * 255).save(tmp_path / "masks" / "scan" / "36.png")
    (image,) = Dataset.load(import_dataset("png", tmp_path, tmp_path / "back")).images
    assert image.file_name == "images/scan"
    np.testing.assert_array_equal(image.masks(), TOOTH[None])


def test_annotations_go_where_the_caller_writes_them(tmp_path: Path) -> None:
    tooth = np.zeros((20, 30), bool)
    tooth[2:9, 3:7] = True
    record = replace(ObjectRecord.from_mask(4, "36", tooth), extra={"annotator": "ann"})
    missing = ImageRecord(1, tmp_path / "nowhere" / "a.png", "sub/a.png", 30, 20, ("blurred",), (record,))
    in_memory = Dataset(tmp_path / "nowhere", (missing,))
    found: dict[str, dict[str, bytes]] = {name: {} for name in FOLDERS}
    for name, files in found.items():
        assert write_annotations(name, in_memory, files.__setitem__) == ()
    assert list(found["png"]) == ["masks/sub/a/00004_36.png", "tags.json"]
    assert list(found["labels"]) == ["labels/sub/a.png", "labels.json", "tags.json"]
    mask = cv2.imdecode(np.frombuffer(found["png"]["masks/sub/a/00004_36.png"], np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, tooth * 255)
    assert json.loads(found["png"]["tags.json"]) == {"sub/a.png": ["blurred"]}
    coco = json.loads(found["coco"]["dataset.json"])
    assert coco["images"][0]["file_name"] == "images/sub/a.png"
    assert coco["annotations"][0]["annotator"] == "ann"
    assert coco["annotations"][0]["bbox"] == [3, 2, 4, 7]


def test_masks_of_the_ground_and_folders_without_masks_are_refused(tmp_path: Path) -> None:
    folder = png_folder(tmp_path / "in")
    Image.fromarray(~TOOTH).save(folder / "masks" / "a" / "37.png")
    with pytest.raises(DatasetError, match=r"37\.png covers most of the image and its corners; save the mask"):
        import_dataset("png", folder, tmp_path / "1")
    (tmp_path / "other" / "images").mkdir(parents=True)
    Image.fromarray(images()["images/a.png"]).save(tmp_path / "other" / "images" / "a.png")
    with pytest.raises(DatasetError, match="has no folder 'masks'; put a PNG for each object there"):
        import_dataset("png", tmp_path / "other", tmp_path / "2")


def test_numbers_of_objects_are_not_taken_for_teeth(tmp_path: Path) -> None:
    folder = labels_folder(tmp_path / "in")
    Image.fromarray(TOOTH * np.uint8(11) + block(32, 2, 38, 9) * np.uint8(2)).save(folder / "labels" / "a.png")
    with pytest.raises(DatasetError, match=r"its value 2 is not an FDI number; name the values in labels\.json"):
        import_dataset("labels", folder, tmp_path / "out")


def test_a_category_that_no_file_name_holds_says_what_to_shorten(tmp_path: Path) -> None:
    before = Dataset.load(write(tmp_path / "source"))
    long = before.images[0].renamed({item.category: "ä" * 60 for item in before.images[0].objects})
    with pytest.raises(OutputError, match="shorten the name of the image or of the category") as caught:
        export_dataset("png", replace(before, images=(long,), categories=()), tmp_path / "out")
    assert "--out" not in str(caught.value)
