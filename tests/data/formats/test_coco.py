"""COCO files as sources of an import: their images are opened, and their text may be in UTF-16."""

from pathlib import Path

import pytest
from PIL import Image

from dentasam.data.dataset import Dataset
from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import import_dataset
from dentasam.errors import DatasetError, ImageError

from ..coco_files import HEIGHT, WIDTH, write


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "in")
    name = Dataset.load(path).images[0].path
    Image.new("L", (WIDTH + 40, HEIGHT)).save(name)
    wrong = rf"{path}: .* has {WIDTH + 40}x{HEIGHT} pixels, the dataset says {WIDTH}x{HEIGHT}; "
    with pytest.raises(DatasetError, match=wrong):
        import_dataset("coco", path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    left_out: list[str] = []
    found = import_dataset("coco", path, tmp_path / "out", ImportOptions(skip_bad=left_out.append))
    assert len(Dataset.load(found).images) == len(Dataset.load(path).images) - 1
    assert ["pixels" in line for line in left_out] == [True]


def test_a_picture_turned_by_its_tag_is_named_as_such(tmp_path: Path) -> None:
    path = write(tmp_path / "in")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (HEIGHT, WIDTH)).save(Dataset.load(path).images[0].path, exif=exif)
    with pytest.raises(DatasetError, match="its orientation tag 6 is not applied, and the masks were drawn on"):
        import_dataset("coco", path, tmp_path / "out")


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "in")
    image = Dataset.load(path).images[0].path
    image.write_text("not an image")
    with pytest.raises(ImageError, match=rf"{image}.*; "):
        import_dataset("coco", path, tmp_path / "out")
    left_out: list[str] = []
    found = import_dataset("coco", path, tmp_path / "out", ImportOptions(skip_bad=left_out.append))
    assert image.name not in {each.path.name for each in Dataset.load(found).images}
    assert [line.startswith(str(image)) for line in left_out] == [True]


def test_text_in_utf_16_is_recognised_and_read(tmp_path: Path) -> None:
    path = write(tmp_path / "in")
    known = Dataset.load(path)
    path.write_text(path.read_text(), encoding="utf-16")
    found = Dataset.load(import_dataset(None, path, tmp_path / "out"))
    assert [len(image.objects) for image in found.images] == [len(image.objects) for image in known.images]
