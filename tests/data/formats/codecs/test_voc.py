"""The layout of Pascal VOC: objects of SegmentationObject with the classes of SegmentationClass."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dentasam.data.dataset import Dataset
from dentasam.data.formats.codecs.voc import palette
from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import choose, import_dataset
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError, ImageError

from ...coco_files import HEIGHT, WIDTH, block

LEFT, RIGHT, VOID = block(5, 5, 20, 15), block(5, 18, 20, 30), block(5, 15, 20, 18)
BELOW = block(25, 5, 35, 30)
OBJECTS = (LEFT * 1 + RIGHT * 2 + BELOW * 3 + VOID * 255).astype(np.uint8)
CLASSES = (LEFT * 5 + RIGHT * 5 + BELOW * 7 + VOID * 255).astype(np.uint8)
LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nroot: canal:64,0,128::\n36:128,128,128::\n"


def test_the_palette_is_that_of_the_dataset() -> None:
    # As the devkit of VOC 2012 lists them.
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        15: (192, 128, 128),
        255: (224, 224, 192),
    }
    assert {index: tuple(palette()[index].tolist()) for index in known} == known


def voc(folder: Path, colours: bool, labelmap: str | None = None, objects: bool = True) -> Path:
    (folder / "JPEGImages").mkdir(parents=True)
    for name in ("a", "b"):
        Image.new("L", (WIDTH, HEIGHT), 90).save(folder / "JPEGImages" / f"{name}.jpg")
    for kind, values in (("SegmentationObject", OBJECTS), ("SegmentationClass", CLASSES)):
        if kind == "SegmentationClass" or objects:
            (folder / kind).mkdir()
            indexed = Image.fromarray(values)
            indexed.putpalette(palette().reshape(-1).tolist())
            (indexed.convert("RGB") if colours else indexed).save(folder / kind / "a.png")
    if labelmap is not None:
        (folder / "labelmap.txt").write_text(labelmap)
    return folder


@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize(("labelmap", "names"), [(None, ["5", "5", "7"]), (LABELMAP, ["5", "5", "36"])])
def test_objects_and_their_classes(tmp_path: Path, colours: bool, labelmap: str | None, names: list[str]) -> None:
    source = voc(tmp_path / "in", colours, labelmap)
    assert choose(None, [source])[0] == "labels"
    lines: list[str] = []
    # With a numbering given, names of classes such as 5 stay as they are.

    path = import_dataset(
        "labels", source, tmp_path / "out", ImportOptions(numbering=Numbering.fdi, report=lines.append)
    )
    (image,) = Dataset.load(path).images
    assert image.file_name == "images/a.jpg"
    assert [record.category for record in image.objects] == names
    np.testing.assert_array_equal(image.masks(), [LEFT, RIGHT, BELOW])
    assert lines == ["images without a file in SegmentationClass left out: 1; they are not labelled"]


def test_colours_of_the_users_own(tmp_path: Path) -> None:
    source = voc(tmp_path / "in", True, "background:0,0,0::\nroot: canal:250,50,83::\n36:1,2,3::\n")
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[LEFT | RIGHT], pixels[BELOW] = (250, 50, 83), (1, 2, 3)
    Image.fromarray(pixels).save(source / "SegmentationClass" / "a.png")
    (image,) = Dataset.load(import_dataset("labels", source, tmp_path / "out")).images
    assert [record.category for record in image.objects] == ["root: canal", "root: canal", "36"]
    np.testing.assert_array_equal(image.masks(), [LEFT, RIGHT, BELOW])


def test_classes_alone(tmp_path: Path) -> None:
    lines: list[str] = []
    source = voc(tmp_path / "in", False, "a:128,0,128::\nb:128,128,128::\n", objects=False)
    path = import_dataset("labels", source, tmp_path / "out", ImportOptions(report=lines.append))
    np.testing.assert_array_equal(Dataset.load(path).images[0].masks(), [LEFT | RIGHT, BELOW])
    assert "all pixels of a class are one object" in lines[-1]


def test_errors(tmp_path: Path) -> None:
    source = voc(tmp_path / "in", False, LABELMAP.replace("128,128,128", "128,128"))
    with pytest.raises(DatasetError, match=r"labelmap\.txt, line 4: it is not name:red,green,blue.*; correct it"):
        import_dataset("labels", source, tmp_path / "out")
    (source / "labelmap.txt").unlink()
    Image.fromarray(CLASSES[1:]).save(source / "SegmentationClass" / "a.png")
    with pytest.raises(DatasetError, match=r"SegmentationClass/a\.png has 60x39 pixels, its image 60x40; export the"):
        import_dataset("labels", source, tmp_path / "out")
    Image.fromarray(CLASSES * (OBJECTS != 3)).save(source / "SegmentationClass" / "a.png")
    with pytest.raises(
        DatasetError, match=r"SegmentationObject/a\.png: object 3 has no class in SegmentationClass; exp"
    ):
        import_dataset("labels", source, tmp_path / "out")
    (source / "SegmentationObject" / "a.png").unlink()
    with pytest.raises(ImageError, match=r"SegmentationObject/a\.png does not exist; check"):
        import_dataset("labels", source, tmp_path / "out")
    (source / "SegmentationClass" / "a.png").unlink()
    with pytest.raises(DatasetError, match="SegmentationClass holds no PNG; export it again with both"):
        import_dataset("labels", source, tmp_path / "out")


def test_a_photograph_in_the_place_of_labels(tmp_path: Path) -> None:
    source = voc(tmp_path / "in", True)
    codes = np.arange(HEIGHT * WIDTH)
    colours = np.stack([codes >> 8, codes & 255, codes * 0 + 77], axis=1).astype(np.uint8)
    Image.fromarray(colours.reshape(HEIGHT, WIDTH, 3)).save(source / "SegmentationClass" / "a.png")
    with pytest.raises(DatasetError, match=r"SegmentationClass/a\.png has 2400 values; is it a label image\? save"):
        import_dataset("labels", source, tmp_path / "out")
