"""What every import does, whatever the format: ids, numbers, errors passed over, interruptions."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from PIL import Image

from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats.catalogue import FORMATS, Format
from dentasam.data.formats.files.passed_over import Tally
from dentasam.data.formats.importing.draft import Draft
from dentasam.data.formats.importing.run import Choose, run_import
from dentasam.data.formats.interface import Contents, ImportOptions, ReadingModule, ReadOptions, SourceRecord
from dentasam.data.formats.registry import export_dataset, import_dataset, missing_extra, readable, writable
from dentasam.data.formats.sources.images import SourceImages
from dentasam.data.teeth.numbering import Numbering
from dentasam.errors import DatasetError, ExtraError, OutputError

from ....linked_away import linked_away

MASK = np.zeros((20, 30), bool)
MASK[5:9, 6:12] = True


class Killed(BaseException):
    """Stands for a signal: no handler of errors catches it."""


def module(
    names: list[list[str]], numbering: Numbering | None = None, at: dict[int, Callable[[], None]] | None = None
) -> ReadingModule:
    """A format whose image k has an object of each name in names[k]; at: called when image k is loaded."""

    def read(source: Path, images: SourceImages, options: ReadOptions) -> Contents:
        def load(index: int) -> ImageRecord:
            (at or {}).get(index, lambda: None)()
            found = images.find(f"{index}.png")
            objects = tuple(ObjectRecord.from_mask(0, name, MASK) for name in names[index])
            return ImageRecord(0, found.path, found.name, 30, 20, objects=objects)

        records = [SourceRecord(f"image {k}", lambda k=k: load(k)) for k in range(len(names))]  # type: ignore[misc]
        return Contents(records, numbering)

    return cast(ReadingModule, SimpleNamespace(read=read, recognises=lambda source: True))


def only(known: ReadingModule) -> Choose:
    return lambda places: (known, places[-1])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(np.full((20, 30), number, np.uint8)).save(folder / f"{number}.png")
    return folder


def categories(path: Path) -> list[list[str]]:
    return [[record.category for record in image.objects] for image in Dataset.load(path).images]


def fail() -> None:
    raise DatasetError("image 1: its mask is upside down; turn it")


def kill() -> None:
    raise Killed


@contextmanager
def killed_in(step: str) -> Iterator[None]:
    """Kills an import in a method of its draft."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Draft, step, lambda self: kill())
        yield


def test_ids_follow_each_other(source: Path, tmp_path: Path) -> None:
    path = run_import("fake", only(module([["36", "37"], [], ["41"]])), source, tmp_path / "out", ImportOptions())
    images = Dataset.load(path).images
    assert [image.id for image in images] == [1, 2, 3]
    assert [record.id for image in images for record in image.objects] == [1, 2, 3]
    assert [int(image.read()[0, 0]) for image in images] == [0, 1, 2]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dataset.json", "images"]


def test_an_error_leaves_nothing(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="upside down"):
        run_import("fake", only(module([["36"]] * 4, at={1: fail})), source, tmp_path / "out", ImportOptions())
    assert not (tmp_path / "out").exists()
    with pytest.raises(DatasetError, match="holds no image that can be imported"):
        run_import("fake", only(module([])), source, tmp_path / "out", ImportOptions())
    assert not (tmp_path / "out").exists()


def test_bad_images_are_left_out_where_the_user_says_so(source: Path, tmp_path: Path) -> None:
    left_out: list[str] = []
    options = ImportOptions(skip_bad=left_out.append)
    path = run_import("fake", only(module([["36"]] * 4, at={1: fail})), source, tmp_path / "out", options)
    assert [image.file_name for image in Dataset.load(path).images] == [f"images/{k}.png" for k in (0, 2, 3)]
    assert left_out == ["image 1: its mask is upside down; turn it"]


@pytest.mark.parametrize("cut", [0, 17])
def test_an_interrupted_import_goes_on(source: Path, tmp_path: Path, cut: int) -> None:
    names, out = [["36"], ["37", "38"], ["41"], []], tmp_path / "out"
    with pytest.raises(Killed):
        run_import("fake", only(module(names, at={2: kill})), source, out, ImportOptions())
    journal = out / ".import" / "journal.jsonl"
    if cut:
        # The line that was being written when the power failed.
        journal.write_bytes(journal.read_bytes() + journal.read_bytes().splitlines()[-1][:cut])
    with pytest.raises(OutputError, match="interrupted; continue it with --resume or remove it"):
        run_import("fake", only(module(names)), source, out, ImportOptions())
    with pytest.raises(OutputError, match="the beginning of another import"):
        run_import("other", only(module(names)), source, out, ImportOptions(resume=True))
    other = ImportOptions(resume=True, numbering=Numbering.universal)
    with pytest.raises(OutputError, match="the beginning of another import"):
        run_import("fake", only(module(names)), source, out, other)
    loaded: list[int] = []
    watched = {k: lambda k=k: loaded.append(k) for k in range(4)}
    path = run_import("fake", only(module(names, at=watched)), source, out, ImportOptions(resume=True))  # type: ignore[arg-type]
    assert loaded == [2, 3]
    whole = run_import("fake", only(module(names)), source, tmp_path / "whole", ImportOptions())
    assert path.read_text() == whole.read_text()
    assert sorted(file.name for file in out.iterdir()) == ["dataset.json", "images"]


def test_an_import_that_was_killed_between_its_last_moves_goes_on(source: Path, tmp_path: Path) -> None:
    names, out = [["36"], ["37"]], tmp_path / "out"
    with pytest.raises(Killed):
        run_import("fake", only(module([*names, []], at={2: kill})), source, out, ImportOptions())
    shutil.move(out / ".import" / "images", out / "images")
    path = run_import("fake", only(module(names)), source, out, ImportOptions(resume=True))
    assert categories(path) == names
    assert [int(image.read()[0, 0]) for image in Dataset.load(path).images] == [0, 1]


def test_new_images_come_along_after_a_kill_between_the_last_moves(source: Path, tmp_path: Path) -> None:
    names, out = [["36"], ["37"], ["41"]], tmp_path / "out"
    with pytest.raises(Killed):
        run_import("fake", only(module(names, at={2: kill})), source, out, ImportOptions())
    shutil.move(out / ".import" / "images", out / "images")
    path = run_import("fake", only(module(names)), source, out, ImportOptions(resume=True))
    assert [int(image.read()[0, 0]) for image in Dataset.load(path).images] == [0, 1, 2]
    with pytest.raises(OutputError, match="holds a finished dataset, so nothing is left to resume"):
        run_import("fake", only(module(names)), source, out, ImportOptions(resume=True))


def test_an_error_after_a_kill_between_the_last_moves_leaves_nothing(source: Path, tmp_path: Path) -> None:
    names, out = [["36"], ["37"]], tmp_path / "out"
    with pytest.raises(Killed):
        run_import("fake", only(module(names, at={1: kill})), source, out, ImportOptions())
    shutil.move(out / ".import" / "images", out / "images")
    with pytest.raises(DatasetError, match="upside down"):
        run_import("fake", only(module(names, at={1: fail})), source, out, ImportOptions(resume=True))
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("left", ["all", "a part"])
def test_an_import_that_was_killed_after_its_last_move_is_cleared(source: Path, tmp_path: Path, left: str) -> None:
    names, out = [["36"], ["37"]], tmp_path / "out"
    known = only(module(names))
    with killed_in("clear"), pytest.raises(Killed):
        run_import("fake", known, source, out, ImportOptions())
    if left == "a part":
        shutil.rmtree(out / ".import" / "scratch")
    with pytest.raises(OutputError, match="interrupted; continue it with --resume"):
        run_import("fake", known, source, out, ImportOptions())
    with pytest.raises(OutputError, match="the beginning of another import"):
        run_import("other", known, source, out, ImportOptions(resume=True))
    path = run_import("fake", known, source, out, ImportOptions(resume=True))
    assert sorted(file.name for file in out.iterdir()) == ["dataset.json", "images"]
    assert categories(path) == names


def test_one_import_at_a_time(source: Path, tmp_path: Path) -> None:
    out, names = tmp_path / "out", [["36"], ["37"]]
    messages: list[str] = []

    def another() -> None:
        for resume in (False, True):
            with pytest.raises(OutputError) as caught:
                run_import("fake", only(module(names)), source, out, ImportOptions(resume=resume))
            messages.append(str(caught.value))

    path = run_import("fake", only(module(names, at={1: another})), source, out, ImportOptions())
    assert messages == [f"another import into {out} is running; wait until it ends"] * 2
    assert categories(path) == names


def test_a_source_that_changed_is_not_continued(source: Path, tmp_path: Path) -> None:
    file, out = source / "set.json", tmp_path / "out"
    file.write_text("{}")
    with pytest.raises(Killed):
        run_import("fake", only(module([["36"], []], at={1: kill})), file, out, ImportOptions())
    os.utime(file, (1, 1))
    with pytest.raises(OutputError, match="another import, or its source has changed"):
        run_import("fake", only(module([["36"], []])), file, out, ImportOptions(resume=True))


@pytest.mark.parametrize("damage", [b"\0\0\0", b"[]", b'{"where": 3}', b"\xff"])
def test_images_behind_a_damaged_line_are_imported_again(source: Path, tmp_path: Path, damage: bytes) -> None:
    names, out = [["36"], ["37"], ["41"], []], tmp_path / "out"
    with pytest.raises(Killed):
        run_import("fake", only(module(names, at={3: kill})), source, out, ImportOptions())
    journal = out / ".import" / "journal.jsonl"
    lines = journal.read_bytes().splitlines()
    lines[2] = damage
    journal.write_bytes(b"\n".join(lines) + b"\n")
    reported: list[str] = []
    path = run_import("fake", only(module(names)), source, out, ImportOptions(resume=True, report=reported.append))
    assert reported[0] == f"{journal}: line 3 is damaged; it and what follows are imported again"
    whole = run_import("fake", only(module(names)), source, tmp_path / "whole", ImportOptions())
    assert path.read_text() == whole.read_text()


def test_counts_are_reported_where_the_last_image_was_done_before(source: Path, tmp_path: Path) -> None:
    out, names = tmp_path / "out", [["36"], ["37"], ["41"]]

    def counting(at: dict[int, Callable[[], None]]) -> ReadingModule:
        def read(place: Path, images: SourceImages, options: ReadOptions) -> Contents:
            tally = Tally(options.report)
            steps = at | {0: at.get(0, lambda: tally.add("points left out"))}
            return Contents(tally.with_last(module(names, at=steps).read(place, images, options).records))

        return cast(ReadingModule, SimpleNamespace(read=read))

    left_out: list[str] = []
    with killed_in("finish"), pytest.raises(Killed):
        run_import("fake", only(counting({0: fail})), source, out, ImportOptions(skip_bad=left_out.append))
    assert left_out == ["image 1: its mask is upside down; turn it"]
    lines: list[str] = []
    run_import("fake", only(counting({})), source, out, ImportOptions(resume=True, report=lines.append))
    assert lines == [
        "2 images were imported before; what was left out of them may not be counted again",
        "points left out: 1",
    ]


def test_records_of_one_name_are_an_error(source: Path, tmp_path: Path) -> None:
    plain = module([["36"], ["37"]])

    def read(place: Path, images: SourceImages, options: ReadOptions) -> Contents:
        records = plain.read(place, images, options).records
        return Contents([replace(record, where="a") for record in records])

    twice = only(cast(ReadingModule, SimpleNamespace(read=read)))
    with pytest.raises(DatasetError, match="in: a is there more than once; take one of them out"):
        run_import("fake", twice, source, tmp_path / "out", ImportOptions())
    assert not (tmp_path / "out").exists()
    left_out: list[str] = []
    path = run_import("fake", twice, source, tmp_path / "out", ImportOptions(skip_bad=left_out.append))
    assert (categories(path), len(left_out)) == ([["36"]], 1)


@pytest.mark.parametrize("error", [DatasetError("a; b"), ExtraError("a; b")])
def test_folders_that_were_there_stay_after_an_error(source: Path, tmp_path: Path, error: Exception) -> None:
    def stop() -> None:
        raise error

    stopping = only(module([["36"]], at={0: stop}))
    (tmp_path / "mine").mkdir()
    for out in (tmp_path / "mine", tmp_path / "new" / "deeper"):
        with pytest.raises(type(error)):
            run_import("fake", stopping, source, out, ImportOptions())
    assert list((tmp_path / "mine").iterdir()) == []
    assert not (tmp_path / "new").exists()


def test_a_folder_in_use_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(OutputError, match=r"out is in use \(it holds notes\.txt\)"):
            run_import("fake", only(module([["36"]])), source, tmp_path / "out", ImportOptions(resume=resume))
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_several_results_of_one_image_share_its_file(source: Path, tmp_path: Path) -> None:
    plain = module([["36"]])

    def read(place: Path, images: SourceImages, options: ReadOptions) -> Contents:
        (record,) = plain.read(place, images, options).records
        by = [
            SourceRecord(f"image 0 by {who}", lambda who=who: replace(record.load(), extra={"annotator": who}))  # type: ignore[misc]
            for who in ("ann", "bo")
        ]
        return Contents(by)

    both = cast(ReadingModule, SimpleNamespace(read=read))
    path = run_import("fake", only(both), source, tmp_path / "out", ImportOptions())
    images = json.loads(path.read_text())["images"]
    assert [(image["file_name"], image["annotator"]) for image in images] == [
        ("images/0.png", "ann"),
        ("images/0.png", "bo"),
    ]
    assert len(list((tmp_path / "out" / "images").iterdir())) == 1


UNIVERSAL = [str(number) for number in range(1, 33)]


def test_numbers_become_fdi(source: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    options = ImportOptions(report=lines.append)
    path = run_import("fake", only(module([UNIVERSAL, ["crown", "32"]])), source, tmp_path / "1", options)
    upper = [f"1{k}" for k in range(8, 0, -1)] + [f"2{k}" for k in range(1, 9)]
    lower = [f"3{k}" for k in range(8, 0, -1)] + [f"4{k}" for k in range(1, 9)]
    assert categories(path) == [upper + lower, ["crown", "48"]]
    assert "Universal numbers" in lines[0]
    document = json.loads(path.read_text())
    assert {item["id"] for item in document["categories"] if item["name"] == "48"} == {48}


def test_ambiguous_numbers_ask(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"how its teeth are numbered .*; give --numbering fdi, universal"):
        run_import("fake", only(module([["11", "12"]])), source, tmp_path / "1", ImportOptions())
    with pytest.raises(DatasetError, match="too few names tell"):
        run_import("fake", only(module([["1", "2", "3"]])), source, tmp_path / "1", ImportOptions())
    for number, (numbering, expected) in enumerate(
        [(Numbering.fdi, ["11", "12"]), (Numbering.universal, ["23", "24"])], start=2
    ):
        options = ImportOptions(numbering=numbering)
        path = run_import("fake", only(module([["11", "12"]])), source, tmp_path / str(number), options)
        assert categories(path) == [expected]
    # A source that says itself how it numbers is not asked about.
    path = run_import("fake", only(module([["11", "12"]], Numbering.fdi)), source, tmp_path / "5", ImportOptions())
    assert categories(path) == [["11", "12"]]


@pytest.mark.parametrize("slip", ["5", "3", "9"])
def test_one_slip_does_not_make_fdi_numbers_universal(source: Path, tmp_path: Path, slip: str) -> None:
    upper = [f"{quadrant}{place}" for quadrant in (1, 2) for place in range(1, 9)]
    with pytest.raises(DatasetError, match="too few names tell how its teeth are numbered"):
        run_import("fake", only(module([[*upper, slip]])), source, tmp_path / "1", ImportOptions())


def test_a_declared_numbering_that_does_not_fit_is_reported(source: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    options = ImportOptions(report=lines.append)
    path = run_import("fake", only(module([UNIVERSAL], Numbering.fdi)), source, tmp_path / "1", options)
    assert categories(path) == [UNIVERSAL]
    assert "give --numbering universal" in lines[0]


def packed(folder: Path, archive: Path, prefix: str) -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, f"{prefix}{path.relative_to(folder).as_posix()}")
    return archive


@pytest.mark.parametrize("prefix", ["", "deep/er/"])
def test_an_archive_is_read_as_what_is_in_it(source: Path, tmp_path: Path, prefix: str) -> None:
    folder = tmp_path / "set"
    (folder / "masks" / "0").mkdir(parents=True)
    shutil.copytree(source, folder / "images")
    Image.fromarray(MASK.astype(np.uint8) * 255).save(folder / "masks" / "0" / "36.png")
    archive = packed(folder, tmp_path / "set.zip", prefix)
    found: list[str] = []
    path = import_dataset(None, archive, tmp_path / "out", ImportOptions(recognised=found.append))
    assert (found, categories(path)) == (["png"], [["36"], [], [], []])
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["dataset.json", "images"]
    Image.fromarray(MASK[1:].astype(np.uint8) * 255).save(folder / "masks" / "0" / "36.png")
    wrong = packed(folder, tmp_path / "wrong.zip", prefix)
    with pytest.raises(DatasetError, match=rf"wrong\.zip/{prefix}masks/0/36\.png has 30x19 pixels"):
        import_dataset(None, wrong, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("name", [name for name in writable() if name in readable()])
def test_other_numbers_go_out_and_come_back(source: Path, tmp_path: Path, name: Format) -> None:
    if missing_extra(FORMATS[name]):
        pytest.skip(f"needs {missing_extra(FORMATS[name])}")
    image = ImageRecord(1, source / "0.png", "0.png", 30, 20, objects=(ObjectRecord.from_mask(1, "11", MASK),))
    before = Dataset(source, (image,))
    for numbering in Numbering:
        out = tmp_path / numbering
        export_dataset(name, before, out, numbering)
        # What an export states about its numbering is enough: 8 and 11 fit several systems.
        path = import_dataset(name, out, tmp_path / f"{numbering} back")
        assert categories(path) == [["11"]], numbering
        np.testing.assert_array_equal(Dataset.load(path).images[0].masks(), MASK[None])
        # A dataset that states its numbers is converted from them.
        assert "numbering" not in json.loads(path.read_text())["info"]


def test_a_folder_of_two_formats_says_which_one_is_read(source: Path, tmp_path: Path) -> None:
    image = ImageRecord(1, source / "0.png", "0.png", 30, 20, objects=(ObjectRecord.from_mask(1, "36", MASK),))
    dataset = Dataset(source, (image,))
    for name in (name for name in writable() if missing_extra(FORMATS[name]) is None):
        lines: list[str] = []
        export_dataset(name, dataset, tmp_path / name)
        import_dataset(None, tmp_path / name, tmp_path / f"{name} back", ImportOptions(report=lines.append))
        assert lines == [], name
    shutil.copytree(tmp_path / "png" / "masks", tmp_path / "cvat" / "masks")
    import_dataset(None, tmp_path / "cvat", tmp_path / "both", ImportOptions(report=lines.append))
    assert lines == ["also looks like cvat: only png is read; name another with --format"]


@pytest.mark.parametrize(
    "place", [".import", ".import/images", ".import/images/3.png", ".import/journal.jsonl", ".import/lock", "images"]
)
def test_nothing_is_written_through_a_link_in_an_import_that_goes_on(
    source: Path, tmp_path: Path, place: str
) -> None:
    names, out = [["36"], ["37"], ["41"], []], tmp_path / "out"
    with pytest.raises(Killed):
        run_import("fake", only(module(names, at={2: kill})), source, out, ImportOptions())
    with linked_away(out / place, tmp_path / "outside"):
        run_import("fake", only(module(names)), source, out, ImportOptions(resume=True))
