"""Which format is chosen for a source, and what is refused before anything is read."""

import os
from pathlib import Path

import pytest

from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import choose, import_dataset
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError

from ..coco_files import write
from .public_sets.test_dentex import enumeration
from .test_labelme import folder_of, labelme, shape


@pytest.mark.parametrize("numbering", Numbering)
def test_the_numbering_of_a_public_set_is_not_chosen(tmp_path: Path, numbering: Numbering) -> None:
    source = enumeration(tmp_path / "in")
    with pytest.raises(DatasetError, match=rf"{source}: how the teeth of dentex are numbered is known; leave"):
        import_dataset(None, source, tmp_path / "out", ImportOptions(numbering=numbering))
    assert not (tmp_path / "out").exists()


def test_what_no_format_fits_is_said(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("hello")
    for source in (tmp_path / "in", tmp_path / "in" / "notes.txt"):
        with pytest.raises(DatasetError, match=rf"{source}: no dataset format is recognised; give --format"):
            import_dataset(None, source, tmp_path / "out")
    # A JSON, and a folder of several, are taken for COCO, whose messages say more.
    (tmp_path / "in" / "broken.json").write_text("{")
    assert choose(None, [tmp_path / "in" / "broken.json"])[0] == "coco"
    for name in ("first.json", "second.json"):
        write(tmp_path / "in").rename(tmp_path / "in" / name)
    with pytest.raises(DatasetError, match=r"holds 2 COCO JSONs \(first\.json, second\.json\); name one"):
        import_dataset(None, tmp_path / "in", tmp_path / "out")
    os.mkfifo(tmp_path / "pipe.zip")
    for format in (None, "yolo"):
        for missing in ("none", "none.zip", "none.txt"):
            with pytest.raises(DatasetError, match=f"{missing} does not exist; check the path"):
                import_dataset(format, tmp_path / missing, tmp_path / "out")
        with pytest.raises(DatasetError, match=r"pipe\.zip is not a regular file but a pipe"):
            import_dataset(format, tmp_path / "pipe.zip", tmp_path / "out")


def test_files_in_utf_16_are_recognised(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", labelme(shape()))
    file = folder / "a.json"
    file.write_text(file.read_text(), encoding="utf-16")
    assert choose(None, [file])[0] == "labelme"
    assert choose(None, [folder])[0] == "labelme"
