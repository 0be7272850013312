"""Run folders whose JSON is bent: reading and comparing them ends in one line, or with a comparison."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from dentasam.errors import DentasamError
from dentasam.evaluation.comparison.comparison import compare_results
from dentasam.evaluation.evaluate import evaluate
from dentasam.evaluation.run_folder import read_run

from ..documents.bent import bent_texts, bent_values


@pytest.fixture
def folder(bench: Any, dataset: Any, tmp_path: Path) -> Path:
    evaluate(bench.segmenter(dataset, bench.grown(2)), dataset, clicks=3, out=tmp_path / "sound")
    return Path(shutil.copytree(tmp_path / "sound", tmp_path / "bent"))


@pytest.mark.parametrize("file", ["metrics.json", "predictions.json"])
def test_bent_run_folders(folder: Path, file: str) -> None:
    sound = (folder / file).read_text()
    chance = random.Random(1)
    documents = {name: bender(sound, chance) for name, bender in bent_texts().items()}
    used = {"model", "adapter", "dataset", "objects", "clicks", "seconds", "precision", "windows", "repair"}
    content = json.loads(sound)
    content = {key: content[key] for key in used} if isinstance(content, dict) else content[:3]
    documents |= {f"value {n}": data for n, data in enumerate(bent_values(content, 1, 60))}
    refused = 0
    for name, data in documents.items():
        if isinstance(content, dict) and name.startswith("value"):
            data = _with_the_rest(data, sound)
        (folder / file).write_bytes(data)
        try:
            results = [read_run(folder.with_name("sound")), read_run(folder)]
            compare_results([folder.with_name("sound"), folder], results, 10, 0)
        except DentasamError as error:
            line = str(error).replace(str(folder.parent), "")
            assert len(line) < 500, name
            assert "\n" not in line, name
            refused += 1
    assert refused > len(documents) / 2


def _with_the_rest(data: bytes, sound: str) -> bytes:
    """The bent keys, and those of the sound document that are not read."""
    rest = json.loads(sound)
    kept = {key: rest[key] for key in ("dice_at_clicks", "iou_at_clicks", "noc", "failures", "surface")}
    return data[:-1] + b", " + json.dumps(kept).encode()[1:]
