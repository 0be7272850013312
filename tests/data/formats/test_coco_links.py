"""A file that is linked from elsewhere is no image of a COCO dataset."""

import shutil
from pathlib import Path

import pytest

from dentasam.data.dataset import Dataset
from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import import_dataset
from dentasam.errors import DatasetError

from ..coco_files import content, write


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_a_link_out_of_the_source_is_refused(tmp_path: Path, linked: str) -> None:
    path = write(tmp_path / "in", content())
    first = Dataset.load(path).images[0].path
    if linked == "file":
        shutil.move(first, tmp_path / "secret.png")
        first.symlink_to(tmp_path / "secret.png")
    else:
        shutil.move(first.parent, tmp_path / "secret")
        first.parent.symlink_to(tmp_path / "secret")
    with pytest.raises(DatasetError, match="is a link to a file outside of the folder; put the file itself there"):
        import_dataset("coco", tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_links_inside_the_source_stay(tmp_path: Path) -> None:
    path = write(tmp_path / "in", content())
    first = Dataset.load(path).images[0].path
    shutil.move(first, tmp_path / "in" / "first")
    first.symlink_to(tmp_path / "in" / "first")
    (tmp_path / "linked").symlink_to(tmp_path / "in")
    for number, source in enumerate((tmp_path / "in", tmp_path / "linked", path)):
        dataset = Dataset.load(import_dataset("coco", source, tmp_path / f"out{number}"))
        assert len(dataset.images) == len(Dataset.load(path).images)
    # Images in a folder that the user names.
    moved = tmp_path / "json" / "set.json"
    moved.parent.mkdir()
    shutil.copy(path, moved)
    import_dataset("coco", moved, tmp_path / "out", ImportOptions(images=tmp_path / "linked"))
