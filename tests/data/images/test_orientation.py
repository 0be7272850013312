"""The orientation tag is never applied, by any reader, and always reported."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from dentasam.data.dataset import Dataset
from dentasam.data.formats.registry import export_dataset, import_dataset
from dentasam.data.images.read import image_size, read_header, read_image
from dentasam.data.quality.check import find_problems
from dentasam.errors import DatasetError

from ..coco_files import HEIGHT, WIDTH, block, content, write

PIXELS = np.random.default_rng(4).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
ORIENTATION = 274


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def turned(path: Path, orientation: int, compression: str | None = None) -> Path:
    if path.suffix == ".tif":
        extra = [(ORIENTATION, 3, 1, orientation, True)]
        tifffile.imwrite(path, PIXELS.astype(np.uint16) * 257, extratags=extra, compression=compression)
    else:
        quality: dict[str, Any] = {"quality": 100} if path.suffix == ".jpg" else {}
        Image.fromarray(PIXELS).save(path, exif=exif(orientation), **quality)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "lzw.tif"])
def test_pixels_and_size_are_those_stored(
    tmp_path: Path, orientation: int, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = turned(tmp_path / f"x.{suffix}", orientation, "lzw" if "lzw" in suffix else None)
    for _ in range(2):
        found = read_image(path)
    assert image_size(path) == found.shape == PIXELS.shape
    assert np.abs(found / np.iinfo(found.dtype).max - PIXELS / 255).max() <= (0.02 if suffix == "jpg" else 0)
    assert read_header(path).orientation == orientation
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == (orientation != 1)
    if lines:
        assert lines[0].startswith(f"{path} has the orientation tag {orientation}, which is not applied")


def test_a_tag_in_xmp_alone_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    path = tmp_path / "x.jpg"
    Image.fromarray(PIXELS).save(path, xmp=xmp)
    assert read_image(path).shape == PIXELS.shape
    assert read_header(path).orientation == 1
    assert not caplog.records


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_check_warns_of_every_tag(tmp_path: Path, suffix: str, orientation: int) -> None:
    coco = content()
    coco["images"][0]["file_name"] = f"images/t.{suffix}"
    dataset = write(tmp_path, coco)
    turned(tmp_path / f"images/t.{suffix}", orientation)
    (problem,) = find_problems(dataset)
    assert problem.severity == "warning"
    assert problem.what.startswith(f"images/t.{suffix} has the orientation tag {orientation}, which is not applied")
    assert "save the image upright without the tag" in problem.fix


def test_a_dataset_of_the_turned_size_is_not_advised_to_correct_it(tmp_path: Path) -> None:
    coco = content()
    coco["images"] = [{"id": 1, "file_name": "images/t.jpg", "width": HEIGHT, "height": WIDTH}]
    # A polygon fits either size, so that nothing else would tell.
    triangle = [[2, 2, 12, 2, 12, 14]]
    coco["annotations"] = [{"id": 1, "image_id": 1, "category_id": 11, "segmentation": triangle}]
    dataset = write(tmp_path, coco)
    turned(tmp_path / "images/t.jpg", 6)
    errors = [problem for problem in find_problems(dataset) if problem.severity == "error"]
    with pytest.raises(DatasetError) as caught:
        Dataset.load(dataset).images[0].read()
    for printed in (*(f"{problem.what}; {problem.fix}" for problem in errors), str(caught.value)):
        assert "its orientation tag 6 is not applied" in printed
        assert "save the image upright without the tag" in printed
        assert "correct the size" not in printed
    assert len(errors) == 1


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_imports_and_exports_report_the_tag(tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture) -> None:
    """They only copy the file; masks beside it may have been drawn on the picture as a viewer turns it."""
    source = tmp_path / "source"
    (source / "images").mkdir(parents=True)
    (source / "masks" / "t").mkdir(parents=True)
    turned(source / f"images/t.{suffix}", 3)
    turned(source / f"images/u.{suffix}", 1)
    Image.fromarray(block(3, 3, 20, 20).astype(np.uint8) * 255).save(source / "masks/t/36.png")
    dataset = import_dataset("png", source, tmp_path / "in")
    export_dataset("png", Dataset.load(dataset), tmp_path / "out")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith(f"{source}/images/t.{suffix} has the orientation tag 3")
    assert lines[1].startswith(f"{tmp_path}/in/images/t.{suffix} has the orientation tag 3")


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_damaged_exif_is_passed_over_in_silence(tmp_path: Path, suffix: str) -> None:
    """In a process of its own: pytest makes errors of warnings, which else stand on stderr without a file's name."""
    tags = (
        exif(6)
        .tobytes()
        .replace(b"\x12\x01\x03\x00\x01\x00", b"\x12\x01\x03\x00\xff\xff")
        .replace(b"\x01\x12\x00\x03\x00\x00\x00\x01", b"\x01\x12\x00\x03\x00\xff\x00\x01")
    )
    assert tags != exif(6).tobytes()
    Image.fromarray(PIXELS).save(tmp_path / f"x.{suffix}", exif=tags)
    script = (
        "import sys; from dentasam.data.images.read import read_header; print(read_header(sys.argv[1]).orientation)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / f"x.{suffix}")], capture_output=True, text=True, check=True
    )
    assert (ended.stdout, ended.stderr) == ("1\n", "")
