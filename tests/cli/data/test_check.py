"""`dentasam data check` as a user runs it: what is printed, what is written, and the exit codes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dentasam.cli.data import app
from dentasam.data.dataset import Dataset
from dentasam.data.phantom import write_phantoms
from dentasam.errors import DatasetError

from ...conftest import Command


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), 3, seed=5, width=512, height=256, conditions=())


@pytest.fixture
def dataset(phantoms: Path, tmp_path: Path) -> Path:
    shutil.copytree(phantoms.parent, tmp_path / "set")
    return tmp_path / "set" / phantoms.name


def test_leakage_is_an_error_and_ends_with_2(dataset: Path, dentasam: Command) -> None:
    content = json.loads(dataset.read_text())
    val = dataset.with_name("val.json")
    kept = [item for item in content["annotations"] if item["image_id"] == 2]
    val.write_text(json.dumps(content | {"images": content["images"][1:2], "annotations": kept}))
    done = dentasam("data", "check", dataset, val)
    assert done.returncode == 2
    leaks = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    name = "images/phantom-00001.png"
    assert leaks == [
        f"error: {val}: image 2: {name} is the same image as {name} (image 2) of {dataset}; "
        "keep it in one of them, or the part that measures holds what was trained on"
    ]
    assert done.stderr.splitlines()[-1] == (
        f"dentasam: {dataset}, {val} have 1 error, listed above; fix and check again"
    )
    assert dentasam("data", "check", dataset).returncode == 0


def test_reports_are_written_also_where_there_are_errors(dataset: Path, tmp_path: Path) -> None:
    content = json.loads(dataset.read_text())
    content["images"][0]["file_name"] = "images/none.png"
    dataset.write_text(json.dumps(content))
    page, out = tmp_path / "out.html", tmp_path / "out.json"
    result = CliRunner().invoke(app, ["check", str(dataset), "--report", str(page), "--json", str(out)])
    assert isinstance(result.exception, DatasetError)
    assert (
        result.stdout.splitlines()[-2:] == [f"json: {out}", f"report: {page}"] or f"report: {page}" in result.stdout
    )
    assert json.loads(out.read_text())["errors"] == 1
    assert "is missing in" in page.read_text()


def test_write_tags(dataset: Path) -> None:
    before = json.loads(dataset.read_text())
    for image in before["images"]:
        path = dataset.parent / image["file_name"]
        import cv2

        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(path), cv2.GaussianBlur(np.asarray(pixels), (0, 0), 2.5))
    tags = [image["tags"] for image in before["images"]]
    result = CliRunner().invoke(app, ["check", str(dataset)])
    assert "note: suggested tags: blurred for 3" in result.stdout
    assert [list(image.tags) for image in Dataset.load(dataset).images] == tags
    result = CliRunner().invoke(app, ["check", str(dataset), "--write-tags"])
    assert result.exit_code == 0, result.exception
    assert f"{dataset}: added blurred to 3" in result.stdout
    after = [list(image.tags) for image in Dataset.load(dataset).images]
    assert all(new[: len(old)] == old and "blurred" in new for new, old in zip(after, tags, strict=True))
    result = CliRunner().invoke(app, ["check", str(dataset), "--write-tags"])
    assert f"{dataset}: added no tag" in result.stdout


def test_the_model_ranks_annotations(dataset: Path, tmp_path: Path) -> None:
    content = json.loads(dataset.read_text())
    content["images"] = content["images"][:1]
    content["annotations"] = [item for item in content["annotations"] if item["image_id"] == 1][:4]
    dataset.write_text(json.dumps(content))
    out = tmp_path / "out.json"
    arguments = ["check", str(dataset), "--model", "dentasam-tiny", "--device", "cpu", "--json", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.exception
    lines = result.stdout.splitlines()
    start = lines.index("4 annotations, those that dentasam-tiny agrees with least:")
    ranked = json.loads(out.read_text())["disagreements"]
    best = [max(item["dice_at_clicks"]) for item in ranked]
    assert best == sorted(best)
    assert best[-1] > 0.5
    for line, item in zip(lines[start + 1 : start + 5], ranked, strict=True):
        assert line.startswith(
            f"{dataset}: image 1, annotation {item['annotation']}: {item['category']}, best Dice of 3"
        )
