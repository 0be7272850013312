"""UFBA-425, STS-2D-Tooth and DC1000: sets that are published as masks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.errors import DatasetError, ImageError

from .published_files import (
    CENTRES,
    HEIGHT,
    WIDTH,
    block,
    categories,
    imported,
    mask_file,
    picture,
    recognised,
    write_json,
)

UFBA = "https://doi.org/10.6084/m9.figshare.29827475"
STS = "https://doi.org/10.5281/zenodo.10597292"
MLUA = "https://github.com/Zzz512/MLUA"
TOOTH, OTHER, THIRD = block(5, 5, 20, 12), block(5, 15, 21, 22), block(30, 40, 38, 55)


def ufba425(folder: Path, twice: bool = False) -> Path:
    """Three images as published; twice: folders with a second folder of the same name in them."""
    masks, drawn, boxed = (
        folder / name / (name if twice else "") for name in ("polygon_masks", "segmentation_xrays", "numbering_xrays")
    )
    for name, teeth in (("cate2-00001", {"11": TOOTH, "21": OTHER}), ("cate10-00002", {"48": TOOTH | OTHER})):
        for number, mask in teeth.items():
            mask_file(masks / f"{name}_{number}.ome.tiff", mask.astype(np.uint8) * 255)
    mask_file(masks / "cate4-00003_36.ome.tiff", THIRD)
    for name in ("cate2-00001", "cate10-00002", "cate4-00003"):
        picture(drawn / f"{name}_jpg.rf.0a1b2c.jpg", 60)
        picture(boxed / f"{name}_jpg.rf.9f8e7d.jpg", 200)
    return folder


@pytest.mark.parametrize("twice", [False, True])
def test_ufba425(tmp_path: Path, twice: bool) -> None:
    source = ufba425(tmp_path / "s", twice)
    assert recognised(source) == "ufba425"
    dataset, lines = imported("ufba425", source, tmp_path / "out")
    found = {Path(image.file_name).name.split("_")[0]: image for image in dataset.images}
    assert {name: [item.category for item in image.objects] for name, image in found.items()} == {
        "cate2-00001": ["11", "21"],
        "cate10-00002": ["48"],
        "cate4-00003": ["36"],
    }
    assert {name: image.tags for name, image in found.items()} == {
        "cate2-00001": ("restoration",),
        "cate10-00002": ("missing-teeth",),
        "cate4-00003": (),
    }
    np.testing.assert_array_equal(found["cate2-00001"].masks(), [TOOTH, OTHER])
    np.testing.assert_array_equal(found["cate10-00002"].masks(), [TOOTH | OTHER])
    np.testing.assert_array_equal(found["cate4-00003"].masks(), [THIRD])
    assert all(abs(int(image.read()[0, 0]) - 60) < 4 for image in dataset.images)
    assert "the aspect of the radiographs (about 904x512) is lost" in lines[0]


def test_ufba425_takes_the_images_that_fit_the_masks(tmp_path: Path) -> None:
    source = ufba425(tmp_path / "s")
    for path in (source / "segmentation_xrays").iterdir():
        picture(path, 60, HEIGHT * 2, WIDTH * 2)
    dataset, _ = imported("ufba425", source, tmp_path / "out")
    assert all(image.file_name.startswith("images/numbering_xrays/") for image in dataset.images)
    for path in (source / "numbering_xrays").iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match=rf"its mask has 60x40 pixels, the image .* 120x80; .*{UFBA}"):
        imported("ufba425", source, tmp_path / "out2")


def test_ufba425_leaves_out_what_is_no_tooth(tmp_path: Path) -> None:
    source = ufba425(tmp_path / "s")
    mask_file(source / "polygon_masks" / "cate2-00001_49.ome.tiff", TOOTH)
    mask_file(source / "polygon_masks" / "cate2-00001_12.ome.tiff", TOOTH & False)
    with pytest.raises(DatasetError, match=r"cate2-00001_12\.ome\.tiff: the mask is empty; delete the file"):
        imported("ufba425", source, tmp_path / "1")
    left_out: list[str] = []
    dataset, lines = imported("ufba425", source, tmp_path / "2", left_out)
    assert sum(map(len, categories(dataset))) == 4
    assert len(left_out) == 1
    assert lines[0] == "1 masks left out, which are not of one tooth 11-48: cate2-00001_49.ome.tiff"
    (source / "polygon_masks" / "cate2-00001_12.ome.tiff").write_bytes(b"II*\0")
    with pytest.raises(ImageError, match=r"cate2-00001_12\.ome\.tiff"):
        imported("ufba425", source, tmp_path / "3")


def test_ufba425_refuses_another_layout(tmp_path: Path) -> None:
    picture(tmp_path / "s" / "images" / "a.jpg")
    with pytest.raises(DatasetError, match=rf"holds no masks named IMAGE_TOOTH\.ome\.tiff; .*{UFBA}"):
        imported("ufba425", tmp_path / "s", tmp_path / "1")
    source = ufba425(tmp_path / "t")
    for folder in ("segmentation_xrays", "numbering_xrays"):
        next((source / folder).glob("cate4*")).unlink()
    with pytest.raises(DatasetError, match=r"its image 'cate4-00003' is not in .*; put the folder seg"):
        imported("ufba425", source, tmp_path / "2")


def sts(folder: Path, suffix: str = "") -> Path:
    """Two adults, one of them without teeth, and a child."""
    for subset, name, mask in (("A-PXI", "1", TOOTH | OTHER), ("A-PXI", "2", TOOTH & False), ("C-PXI", "1", THIRD)):
        picture(folder / subset / "Labeled" / "Image" / f"{name}.png", 70)
        mask_file(folder / subset / "Labeled" / "Mask" / f"{name}{suffix}.png", mask)
        picture(folder / subset / "Unlabeled" / "Image" / f"{name}0.png")
    return folder


@pytest.mark.parametrize("suffix", ["", "_mask"])
@pytest.mark.parametrize("above", ["", "SD-Tooth/STS-2D-Tooth"])
def test_sts_has_all_teeth_as_one(tmp_path: Path, suffix: str, above: str) -> None:
    sts(tmp_path / "s" / above, suffix)
    assert recognised(tmp_path / "s") == "sts2d"
    dataset, lines = imported("sts2d", tmp_path / "s", tmp_path / "out")
    assert categories(dataset) == [["teeth"], [], ["teeth"]]
    np.testing.assert_array_equal(dataset.images[0].masks(), [TOOTH | OTHER])
    np.testing.assert_array_equal(dataset.images[2].masks(), [THIRD])
    assert all(int(image.read()[0, 0]) == 70 for image in dataset.images)
    assert lines == ["the masks of STS-2D-Tooth are of all teeth as one, without numbers"]


def test_sts_refuses_another_layout(tmp_path: Path) -> None:
    source = sts(tmp_path / "s")
    with pytest.raises(DatasetError, match=rf"holds no masks in Labeled/Mask; .*{STS}"):
        imported("sts2d", source / "A-PXI" / "Unlabeled", tmp_path / "1")
    mask_file(source / "A-PXI" / "Labeled" / "Mask" / "1.png", TOOTH[1:])
    with pytest.raises(DatasetError, match=rf"its mask has 60x39 pixels, the image .* 60x40; .*{STS}"):
        imported("sts2d", source, tmp_path / "2")
    (source / "A-PXI" / "Labeled" / "Image" / "1.png").unlink()
    with pytest.raises(DatasetError, match=r"Mask/1\.png: its image '1\.png' is not in .*; put it there"):
        imported("sts2d", source, tmp_path / "3")


def test_sts_2024_is_labelme(tmp_path: Path) -> None:
    folder = tmp_path / "s" / "Train-Labeled"
    for number in (1, 2, 3):
        name = f"STS24_Train_Labeled_000{number}"
        picture(folder / "Images" / f"{name}.jpg")
        shape = {"label": "36", "points": [[10, 10], [30, 10], [30, 25], [10, 25]], "shape_type": "polygon"}
        content: dict[str, Any] = {
            "version": "5.4.1",
            "flags": {},
            "shapes": [{**shape, "group_id": None, "flags": {}}],
            "imagePath": f"{name}.jpg",
            "imageData": None,
            "imageHeight": HEIGHT,
            "imageWidth": WIDTH,
        }
        write_json(folder / "Masks" / f"{name}_Mask.json", content)
    assert recognised(tmp_path / "s") == recognised(folder) == "sts2d"
    dataset, _ = imported("sts2d", tmp_path / "s", tmp_path / "out")
    assert categories(dataset) == [["36"]] * 3
    np.testing.assert_array_equal(dataset.images[0].masks(), [CENTRES])


def dc1000(folder: Path) -> Path:
    """A training image with two lesions, one without any, and a test image with two that touch at a corner."""
    train, test = folder / "org_train_dataset", folder / "org_test_dataset"
    for split, name, mask, colours in (
        (train, "1", TOOTH | OTHER, TOOTH * np.uint8(102) + OTHER * np.uint8(255)),
        (train, "2", TOOTH & False, TOOTH * np.uint8(0)),
        (test, "1008", block(5, 5, 8, 8) | block(8, 8, 11, 11), None),
    ):
        clean = "_clean" * (split == train)
        picture(split / "images" / f"{name}.png", 80)
        mask_file(split / f"labels{clean}" / f"{name}.png", mask.astype(np.uint8) * 255)
        picture(split / "labels_cut" / f"{name}.png", 5, 10, 10)
        if colours is not None:
            mask_file(split / f"colors{clean}" / f"{name}.png", colours)
    return folder


def test_dc1000_has_an_object_for_each_piece(tmp_path: Path) -> None:
    source = dc1000(tmp_path / "s")
    assert recognised(source) == recognised(source / "org_test_dataset") == "dc1000"
    dataset, _ = imported("dc1000", source, tmp_path / "out")
    assert categories(dataset) == [["caries", "caries"], [], ["caries"]]
    np.testing.assert_array_equal(dataset.images[0].masks(), [TOOTH, OTHER])
    np.testing.assert_array_equal(dataset.images[2].masks(), [block(5, 5, 8, 8) | block(8, 8, 11, 11)])
    assert all(int(image.read()[0, 0]) == 80 for image in dataset.images)
    written = json.loads((tmp_path / "out" / "dataset.json").read_text())["annotations"]
    assert [item.get("severity_value") for item in written] == [102, 255, None]


def test_dc1000_passes_over_severities_of_another_kind(tmp_path: Path) -> None:
    source = dc1000(tmp_path / "s")
    mask_file(source / "org_train_dataset" / "colors_clean" / "1.png", TOOTH * np.uint8(3))
    dataset, lines = imported("dc1000", source, tmp_path / "out")
    assert categories(dataset)[0] == ["caries", "caries"]
    assert len(lines) == 1
    assert "other values than 102, 153 and 255: passed over" in lines[0]


def test_dc1000_as_on_kaggle(tmp_path: Path) -> None:
    source = dc1000(tmp_path / "s") / "org_test_dataset"
    (source / "images_cut").mkdir()
    source = source.rename(tmp_path / "kaggle")
    assert recognised(source) == "dc1000"
    dataset, _ = imported("dc1000", source, tmp_path / "out")
    assert categories(dataset) == [["caries"]]


def test_dc1000_refuses_another_layout(tmp_path: Path) -> None:
    source = dc1000(tmp_path / "s")
    with pytest.raises(DatasetError, match=rf"holds no masks in labels_clean or labels beside images; .*{MLUA}"):
        imported("dc1000", source / "org_test_dataset" / "images", tmp_path / "1")
    mask_file(source / "org_test_dataset" / "labels" / "1008.png", TOOTH[:, 1:])
    with pytest.raises(DatasetError, match=rf"its mask has 59x40 pixels, the image .* 60x40; .*{MLUA}"):
        imported("dc1000", source, tmp_path / "2")
