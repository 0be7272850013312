"""A run is resumed with what it began with, wherever that lies now."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dentasam.data.dataset import Dataset
from dentasam.data.phantom import write_phantoms
from dentasam.errors import OutputError
from dentasam.training.run.saved.run_inputs import INPUTS, Input, RunInputs


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("data") / "here", count=2, seed=1, width=320, height=64)


def identity(path: Path) -> str:
    return Input.of_dataset(Dataset.load(path)).sha256


def changed(path: Path, to: Path, change: str) -> Path:
    """A copy of the dataset with one change."""
    shutil.copytree(path.parent, to)
    file = to / path.name
    content = json.loads(file.read_text())
    if change == "object":
        content["annotations"].pop()
    elif change == "category":
        first = content["annotations"][0]
        first["category_id"] = next(c["id"] for c in content["categories"] if c["id"] != first["category_id"])
    elif change == "image":
        image = to / content["images"][0]["file_name"]
        image.write_bytes(image.read_bytes() + b"\0")
    elif change == "order":
        content["images"].reverse()
    elif change == "tags":
        content["images"][0]["tags"] = ["blurred"]
    file.write_text(json.dumps(content, indent=1))
    return file


def test_a_moved_dataset_is_the_same(data: Path, tmp_path: Path) -> None:
    assert identity(changed(data, tmp_path / "there", "nothing")) == identity(data)
    assert identity(changed(data, tmp_path / "tagged", "tags")) == identity(data)


@pytest.mark.parametrize("change", ["object", "category", "image", "order"])
def test_another_content_is_another_dataset(data: Path, tmp_path: Path, change: str) -> None:
    assert identity(changed(data, tmp_path / "there", change)) != identity(data)


def test_what_differs_is_named(tmp_path: Path) -> None:
    began = RunInputs(
        Input("tiny", "", "0" * 64),
        None,
        Input("a.json", "2 images, 5 objects", "1" * 64),
        Input("v.json", "", "2" * 64),
    )
    began.write(tmp_path)
    replace(began, training=Input("moved.json", "2 images, 5 objects", "1" * 64)).check_same(tmp_path)
    other = Input("b.json", "3 images, 9 objects", "3" * 64)
    for kind, words in (
        ("base", "the base model tiny (sha256 000000000000…), not b.json"),
        (
            "adapter",
            "the adapter none, not b.json (3 images, 9 objects, sha256 333333333333…); resume with",
        ),
        ("training", "the training data a.json (2 images, 5 objects, sha256 111111111111…), not b.json"),
        ("validation", "the validation data v.json"),
    ):
        with pytest.raises(OutputError) as caught:
            replace(began, **{kind: other}).check_same(tmp_path)
        assert words in str(caught.value)
        assert f"delete {tmp_path / INPUTS} to go on all the same" in str(caught.value)


def test_a_run_of_an_earlier_version_says_nothing_of_them(tmp_path: Path) -> None:
    assert RunInputs.read(tmp_path) is None
    RunInputs(Input("tiny", "", "0" * 64)).check_same(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "[]", "null", '{"base": null}', '{"base": 3}', '{"base": {"name": 3}}', "[" * 100_000]
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / INPUTS).write_text(content)
    with pytest.raises(OutputError, match=r"inputs\.json: damaged; delete it"):
        RunInputs.read(tmp_path)
