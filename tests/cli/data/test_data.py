"""`dentasam data` as a user runs it: what is printed, what is written, and the exit codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from dentasam.cli.data import app
from dentasam.data.dataset import Dataset, ImageRecord, ObjectRecord
from dentasam.data.formats.catalogue import FORMATS, Format
from dentasam.data.formats.importing.draft import Draft
from dentasam.errors import DatasetError, OutputError

TAGS = [("blurred",), (), ("overlap",), (), ()]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Five images with two teeth each."""
    records = []
    for number, tags in enumerate(TAGS, start=1):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 50), dtype=np.uint8)
        path = tmp_path / "images" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
        masks = np.zeros((2, 30, 50), bool)
        masks[0, 5:20, 5:20] = masks[1, 10:25, 15:30] = True
        objects = tuple(
            ObjectRecord.from_mask(2 * number + which, name, masks[which]) for which, name in enumerate(("36", "37"))
        )
        records.append(ImageRecord(number, path, "", 50, 30, tags, objects))
    return Dataset(tmp_path / "set.json", tuple(records)).write(tmp_path / "set.json")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def lines(*arguments: object) -> list[str]:
    result = call(*arguments)
    assert result.exception is None, result.exception
    return result.stdout.splitlines()


def test_formats_lists_each_format() -> None:
    listed = lines("formats")
    heads = [line for line in listed if not line.startswith(" ")]
    assert [line.split()[0] for line in heads] == list(Format)
    for line, info in zip(heads, FORMATS.values(), strict=True):
        assert line.endswith(info.summary)
        assert (" in " in line, " out " in line) == (info.reads, info.writes)
    assert sum("loses:" in line for line in listed) == sum(bool(info.loses) for info in FORMATS.values())


@pytest.mark.parametrize("name", ["coco", "png", "labels"])
def test_export_and_import(dataset: Path, tmp_path: Path, name: str) -> None:
    exported, back = tmp_path / "exported", tmp_path / "back"
    printed = lines("export", dataset, "--format", name, "--out", exported)
    assert printed[0] == f"{exported}: 5 images, 10 objects"
    lost = "note: of 10 objects 5 lost pixels to overlap and 0 vanished; the format png keeps them"
    assert printed[1:] == ([lost] if name == "labels" else [])
    source = exported / "dataset.json" if name == "coco" else exported
    printed = lines("import", source, "--format", name, "--out", back)
    assert printed == [f"{back / 'dataset.json'}: 5 images, 10 objects"]
    assert Dataset.load(back / "dataset.json").images[2].tags == ("overlap",)


def test_check_of_a_sound_dataset(dataset: Path) -> None:
    assert lines("check", dataset) == [f"{dataset}: no errors, 0 warnings"]


def test_check_lists_all_and_fails(dataset: Path) -> None:
    coco = json.loads(dataset.read_text())
    coco["images"][0]["file_name"] = "images/none.png"
    coco["annotations"][5]["segmentation"]["size"] = [3, 4]
    dataset.write_text(json.dumps(coco))
    result = call("check", dataset)
    assert isinstance(result.exception, DatasetError)
    assert str(result.exception) == f"{dataset} has 2 errors, listed above; fix and check again"
    first, second = result.stdout.splitlines()
    assert first.startswith(f"error: {dataset}: image 1: its file 'images/none.png' is missing in ")
    assert second.startswith(f"error: {dataset}: image 3, annotation 7: its RLE is for an image of 4x3")


def test_split(dataset: Path, tmp_path: Path) -> None:
    printed = lines("split", dataset, "--train", 0.6, "--val", 0.2, "--test", 0.2, "--seed", 4)
    assert printed == [
        f"{tmp_path / 'train.json'}: 3 images, 6 objects",
        f"{tmp_path / 'val.json'}: 1 image, 2 objects",
        f"{tmp_path / 'test.json'}: 1 image, 2 objects",
    ]
    assert isinstance(call("split", dataset).exception, OutputError)
    elsewhere = lines("split", dataset, "--out", tmp_path / "parts", "--val", 0.2, "--test", 0)
    assert elsewhere[1] == f"{tmp_path / 'parts' / 'val.json'}: 1 image, 2 objects"
    assert len(elsewhere) == 2


def test_split_tells_of_images_without_objects(dataset: Path, tmp_path: Path) -> None:
    coco = json.loads(dataset.read_text())
    coco["annotations"] = [known for known in coco["annotations"] if known["image_id"] != 4]
    dataset.write_text(json.dumps(coco))
    printed = lines("split", dataset, "--train", 0.5, "--val", 0.25, "--test", 0.25)
    assert printed == [
        f"{tmp_path / 'train.json'}: 2 images, 4 objects",
        f"{tmp_path / 'val.json'}: 1 image, 2 objects",
        f"{tmp_path / 'test.json'}: 1 image, 2 objects",
        "left out: 1 image without any object",
    ]
    coco["annotations"] = []
    dataset.write_text(json.dumps(coco))
    result = call("split", dataset, "--out", tmp_path / "none")
    assert "has 0 images with objects, too few for 3 parts; label more" in str(result.exception)
    assert not (tmp_path / "none").exists()


def test_split_by_patient(dataset: Path, tmp_path: Path) -> None:
    # Images 1, 2 and 3 are of one patient.
    shares = ("--train", 0.6, "--val", 0.2, "--test", 0.2)
    table = tmp_path / "patients.csv"
    table.write_text("image,patient\n1.png,x\n2.png,x\n3.png,x\n4.png,y\n5.png,z\n")
    assert lines("split", dataset, *shares, "--patient-csv", table) == [
        f"{tmp_path / 'train.json'}: 3 images, 6 objects, 1 patient",
        f"{tmp_path / 'val.json'}: 1 image, 2 objects, 1 patient",
        f"{tmp_path / 'test.json'}: 1 image, 2 objects, 1 patient",
    ]
    assert [image.id for image in Dataset.load(tmp_path / "train.json").images] == [1, 2, 3]
    both = call("split", dataset, "--overwrite", "--patient-csv", table, "--patient-pattern", "(.)")
    assert isinstance(both.exception, DatasetError)
    printed = lines("split", dataset, "--overwrite", *shares, "--patient-pattern", "(.)")
    assert [line.rpartition(", ")[2] for line in printed] == ["3 patients", "1 patient", "1 patient"]


def test_phantom(tmp_path: Path, monkeypatch: Any, dataset: Path) -> None:
    asked: list[tuple[Any, ...]] = []

    def write_phantoms(*arguments: Any, progress: Callable[[int, int], None], dentition: str, layout: str) -> Path:
        progress(1, 2)
        asked.append((*arguments, dentition, layout))
        return dataset

    monkeypatch.setattr("dentasam.data.phantom.write_phantoms", write_phantoms)
    out = tmp_path / "out"
    assert lines("phantom", "--out", out, "--count", 3) == [f"{dataset}: 5 images, 10 objects"]
    sized = ("--width", 512, "--height", 256, "--seed", 9)
    lines("phantom", "--out", out, *sized, "--condition", "blurred", "--condition", "overlap")
    lines("phantom", "--out", out, "--dentition", "mixed", "--layout", "any")
    assert asked == [
        (out, 3, 0, 1024, 512, None, "adult", "usual"),
        (out, 20, 9, 512, 256, ["blurred", "overlap"], "adult", "usual"),
        (out, 20, 0, 1024, 512, None, "mixed", "any"),
    ]


def test_phantoms_are_a_sound_dataset(tmp_path: Path) -> None:
    for kinds in ((), ("--dentition", "any", "--layout", "any")):
        out = tmp_path / f"p{len(kinds)}"
        lines("phantom", "--out", out, "--count", 2, "--width", 256, "--height", 128, *kinds)
        (path,) = out.glob("*.json")
        result = call("check", path)
        assert result.exception is None
        assert "no errors" in result.stdout


def test_one_line_and_exit_code_2(dentasam: Callable[..., Any], dataset: Path, tmp_path: Path) -> None:
    """In a process of its own: the whole way from the error to the user."""
    (tmp_path / "cut.json").write_text(dataset.read_text()[:200])
    done = dentasam("data", "export", tmp_path / "cut.json", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path / 'cut.json'}: is not JSON" in done.stderr
    assert not (tmp_path / "out").exists()
    unknown = dentasam("data", "import", dataset, "--out", tmp_path / "out", "--format", "dicom")
    assert unknown.returncode == 2
    assert "coco" in unknown.stderr


def cvat_export(root: Path) -> Path:
    """A COCO file of CVAT's with its images elsewhere: one polygon, one mask with iscrowd 1, one box alone."""
    (root / "pictures").mkdir()
    Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60)).save(root / "pictures" / "a.png")
    runs = [40 * 30, 40, 40 * 29]
    shapes = [[[5, 5, 20, 5, 20, 20, 5, 20]], {"size": [40, 60], "counts": runs}, []]
    annotations = [
        {"id": n, "image_id": 1, "category_id": 36, "segmentation": shape, "iscrowd": int(n == 2)}
        for n, shape in enumerate(shapes, start=1)
    ]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 60, "height": 40}],
        "annotations": annotations,
        "categories": [{"id": 36, "name": 36}],
    }
    (root / "annotations").mkdir()
    path = root / "annotations" / "instances_default.json"
    path.write_text(json.dumps(content))
    return path


def test_every_command_takes_the_folder_of_the_images_and_tells_what_it_passed_over(
    tmp_path: Path, dentasam: Callable[..., Any]
) -> None:
    path, pictures = cvat_export(tmp_path), tmp_path / "pictures"
    missing = dentasam("data", "check", path)
    assert missing.returncode == 2
    assert "its file 'a.png' is missing in" in missing.stdout

    checked = dentasam("data", "check", path, "--images", pictures)
    assert checked.returncode == 0, checked.stderr
    assert "warning: " in checked.stdout
    assert "1 annotation has iscrowd 1" in checked.stdout
    assert "annotation 3: it has no mask, at most a box: passed over" in checked.stdout

    imported = dentasam("data", "import", path, "--images", pictures, "--out", tmp_path / "in")
    assert imported.returncode == 0, imported.stderr
    assert imported.stdout.endswith("dataset.json: 1 image, 1 object\n")
    lines = imported.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"dentasam: warning: {path}: 1 annotation has ") for line in lines)
    assert "--crowd-as-objects" in lines[0]

    crowds = dentasam(
        "data", "import", path, "--images", pictures, "--crowd-as-objects", "--out", tmp_path / "objects"
    )
    assert crowds.stdout.endswith("dataset.json: 1 image, 2 objects\n")

    whole = ("data", "split", path, "--images", pictures, "--train", 1, "--val", 0, "--test", 0)
    split = dentasam(*whole)
    assert split.returncode == 2
    assert "outside the JSON's folder; give --out FOLDER" in split.stderr.splitlines()[-1]
    split = dentasam(*whole, "--out", tmp_path / "parts")
    assert split.stdout.endswith("train.json: 1 image, 1 object\n")
    exported = dentasam("data", "export", path, "--images", pictures, "--format", "png", "--out", tmp_path / "png")
    assert "note: 1 region of many objects (iscrowd 1) left out" in exported.stdout


def test_a_pacs_needs_its_address(tmp_path: Path) -> None:
    result = call("import", "dicomweb", "--out", tmp_path / "out")
    assert isinstance(result.exception, DatasetError)
    assert str(result.exception) == "dicomweb needs the address of the PACS's service; give `dicomweb URL`"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("given", [("--limit", 3), ("--timeout", 5), ("--insecure-http",), ("--with-seg",)])
def test_options_of_a_pacs_are_refused_without_one(dataset: Path, tmp_path: Path, given: tuple[object, ...]) -> None:
    result = call("import", dataset, "--out", tmp_path / "out", *given)
    assert isinstance(result.exception, DatasetError)
    assert f"{given[0]} can be given only with `dicomweb URL`; leave that out" in str(result.exception)


def test_a_finished_import_whose_rest_stayed_is_cleared(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Draft, "clear", lambda self: exit(9))
        call("import", dataset, "--out", out)
    assert (out / ".import" / "journal.jsonl").exists()
    assert lines("import", dataset, "--out", out, "--resume") == [f"{out / 'dataset.json'}: 5 images, 10 objects"]
    assert not (out / ".import").exists()
