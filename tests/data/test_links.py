"""Files that are links out of a folder or a dataset are read only where the user asks for it."""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from dentasam.data.dataset import Dataset
from dentasam.data.deidentify.run import Options, deidentify
from dentasam.data.formats.interface import ImportOptions
from dentasam.data.formats.registry import export_dataset, import_dataset, writable
from dentasam.data.links import Bounds, check_no_link_out, is_link_out, reading_source
from dentasam.data.quality.check import check_datasets
from dentasam.errors import DatasetError, DentasamError
from dentasam.evaluation.archive.images import named_images

from .coco_files import content, write

SECRET = "secret"
opened: list[str] = []
_watched: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _watched and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if path.startswith(_watched[0]):
            opened.append(path)


sys.addaudithook(_watch)  # it cannot be removed again, and does nothing while nothing is watched


def hidden(path: Path, place: Path) -> None:
    """Moves a file or folder away and leaves a link to it."""
    place.mkdir(parents=True, exist_ok=True)
    shutil.move(path, place / path.name)
    path.symlink_to(place / path.name)


def test_what_leads_out(tmp_path: Path) -> None:
    inner, outer = tmp_path / "in", tmp_path / "in-other"
    (inner / "deep").mkdir(parents=True)
    outer.mkdir()
    for path in (inner / "a", inner / "deep" / "b", outer / "c"):
        path.touch()
    links = {"inside": inner / "deep" / "b", "out": outer / "c", "folder": outer, "broken": outer / "none"}
    for name, target in links.items():
        (inner / name).symlink_to(target)
    (inner / "again").symlink_to("out")
    (inner / "loop").symlink_to("loop")
    (tmp_path / "linked").symlink_to(inner)
    for root in (inner, tmp_path / "linked"):
        bounds = Bounds(root)
        out = {path.name for path in root.iterdir() if bounds.leads_out(path)}
        assert out == {"out", "folder", "again"}
        assert bounds.leads_out(root / "folder" / "c")
        assert not bounds.leads_out(root / "deep" / "b")
    assert not Bounds(inner, outer).leads_out(inner / "out")


def test_only_the_files_of_an_import_are_checked(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / SECRET).touch()
    link = tmp_path / "in" / "a.json"
    link.symlink_to(tmp_path / SECRET)
    check_no_link_out(link)
    with reading_source(tmp_path / "in", follow_links=True):
        assert not is_link_out(link)
    with reading_source(tmp_path / "in"):
        assert is_link_out(link)
        with pytest.raises(DatasetError, match="is a link to a file outside of the folder; .* give --follow-links"):
            check_no_link_out(link)
    with reading_source(tmp_path / "in", link):  # it is the file that the user named
        assert not is_link_out(link)
    assert not is_link_out(link)


@pytest.mark.parametrize("linked", ["images/a.png", "images/deep", "images"])
def test_images_of_a_coco_file_that_are_links_out_of_its_folder(tmp_path: Path, linked: str) -> None:
    path = write(tmp_path / "in", content())
    images = len(Dataset.load(path).images)
    hidden(path.parent / linked, tmp_path / SECRET)
    with pytest.raises(DatasetError) as raised:
        Dataset.load(path)
    said = "is a link to a file outside of the folder; put the file itself there, name its folder with --images, or"
    assert f"{said} give --follow-links" in str(raised.value)
    errors = check_datasets([path]).problems[path]
    assert any("is a link to a file outside of the folder" in error.line(path) for error in errors)
    assert len(Dataset.load(path, follow_links=True).images) == images
    assert check_datasets([path], follow_links=True).errors == 0


def test_a_dataset_that_is_reached_by_a_link_or_whose_images_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "in", content())
    (tmp_path / "linked").symlink_to(path.parent)
    assert len(Dataset.load(tmp_path / "linked" / path.name).images) == 2
    hidden(path.parent / "images", tmp_path / SECRET)
    (tmp_path / "again").symlink_to(tmp_path / SECRET)
    assert len(Dataset.load(path, tmp_path / SECRET).images) == 2
    assert len(Dataset.load(path, tmp_path / "again").images) == 2


def test_the_folder_above_annotations_is_the_dataset(tmp_path: Path) -> None:
    path = write(tmp_path / "in", content())
    (path.parent / "annotations").mkdir()
    moved = path.parent / "annotations" / "instances_default.json"
    shutil.move(path, moved)
    (path.parent / "store").mkdir()
    hidden(path.parent / "images" / "a.png", path.parent / "store")
    assert len(Dataset.load(moved).images) == 2
    hidden(path.parent / "images" / "deep", tmp_path / SECRET)
    with pytest.raises(DatasetError, match="link to a file outside"):
        Dataset.load(moved)


def test_folders_of_images(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("L", (30, 20)).save(folder / name)
    hidden(folder / "b.png", tmp_path / SECRET)
    images, left_out = named_images([folder], tmp_path / "out")
    assert [image.name for image in images] == ["a.png"]
    assert left_out == [
        "b.png is left out: it is a link to a file outside of this folder; put the file itself here, "
        "or give --follow-links"
    ]
    assert len(named_images([folder], tmp_path / "out", follow_links=True)[0]) == 2
    # A link that the user names is followed.
    assert [image.name for image in named_images([folder / "b.png"], tmp_path / "out")[0]] == ["b.png"]
    outcome = deidentify(folder, tmp_path / "out", Options(key=tmp_path / "key.json"))
    assert (len(outcome.delivered), len(outcome.warnings)) == (1, 1)
    followed = Options(key=tmp_path / "other.json", follow_links=True)
    assert len(deidentify(folder, tmp_path / "both", followed).delivered) == 2


@pytest.mark.parametrize("format", writable())
def test_no_format_opens_what_a_link_out_of_its_source_leads_to(tmp_path: Path, format: str) -> None:
    export_dataset(format, Dataset.load(write(tmp_path / "from", content())), tmp_path / "whole")
    files = [path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file()]
    assert files
    for number, file in enumerate(files):
        source, secret = tmp_path / f"in{number}", tmp_path / f"{SECRET}{number}"
        shutil.copytree(tmp_path / "whole", source)
        hidden(source / file, secret)
        _watched[:] = [str(secret)]
        opened.clear()
        lines: list[str] = []
        # What is left of the dataset may be imported, or nothing of it.
        options = ImportOptions(skip_bad=lines.append, report=lines.append)
        try:
            import_dataset(format, source, tmp_path / f"out{number}", options)
        except DentasamError as error:
            lines.append(str(error))
        _watched.clear()
        assert opened == [], file
        if number == 0:
            import_dataset(format, source, tmp_path / "followed", ImportOptions(follow_links=True))


@pytest.mark.parametrize("format", writable())
def test_pipes_in_a_source_are_not_waited_for(tmp_path: Path, format: str) -> None:
    source = tmp_path / "in"
    export_dataset(format, Dataset.load(write(tmp_path / "from", content())), source)
    for folder in [source, *(place for place in source.rglob("*") if place.is_dir())]:
        for name in ("p.png", "p.json", "p.dcm", "p.txt", "p.xml", "p.yaml", "p.nii.gz", "p", "1.2.3"):
            os.mkfifo(folder / name)
    lines: list[str] = []
    # A pipe that has the place of an annotation file is an error, and any other is left out.
    for number, named in enumerate((format, None)):
        with suppress(DentasamError):
            import_dataset(named, source, tmp_path / f"out{number}", ImportOptions(report=lines.append))
    # These two look for images by the names in annotations alone.
    assert format in ("coco", "nnunet") or any("p.png" in line and "it is a pipe" in line for line in lines)
