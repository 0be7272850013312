"""The public names: there, lazily; enough for everything that the Python guide does."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dentasam
from dentasam import errors
from dentasam.cli.app import main
from dentasam.model.chart.dentition import NUMBERS
from dentasam.model.chart.segmenter_chart import SegmenterChart
from dentasam.model.core.frame import Frame

from .model.chart.given_head import Thing, given_head

GUIDE = Path(__file__).parents[1] / "docs" / "python-api.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_import_loads_no_numbers() -> None:
    script = "import sys, dentasam; dir(dentasam); assert not {'torch', 'numpy', 'pydicom'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_public_name_is_there_and_listed() -> None:
    assert set(dentasam.__all__) <= set(dir(dentasam))
    for name in set(dentasam.__all__) - {"__version__"}:
        assert getattr(dentasam, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        dentasam.lode  # noqa: B018


def test_every_kind_of_error_is_public() -> None:
    kinds = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert kinds == {name for name in dentasam.__all__ if name.endswith("Error")}


def test_the_guide_uses_public_names_alone() -> None:
    used = set()
    for node in ast.walk(ast.parse("".join(BLOCKS))):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert not node.module.startswith("dentasam")
        elif isinstance(node, ast.Import):
            assert all("dentasam." not in each.name for each in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "dentasam":
            used.add(node.attr)
    assert used <= set(dentasam.__all__)
    assert {"load", "read_image", "evaluate", "Dataset"} <= used


def teeth(content: dict[str, Any]) -> list[Thing]:
    """The numbered teeth of a COCO file with one image."""
    names = {category["id"]: category["name"] for category in content["categories"]}
    found = []
    for annotation in content["annotations"]:
        x, y, width, height = annotation["bbox"]
        if names[annotation["category_id"]] in NUMBERS:
            found.append(Thing(names[annotation["category_id"]], (x, y, x + width, y + height)))
    return found


def test_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its examples one after another, in one interpreter, on a phantom with three objects.

    The chart head is one that sees the phantom's teeth where they are.
    """
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["data", "phantom", "--count", "1", "--seed", "3", "--out", "."])
    content = json.loads(Path("phantoms.json").read_text())
    things = teeth(content)
    size = content["images"][0]["height"], content["images"][0]["width"]
    monkeypatch.setattr(SegmenterChart, "head", lambda *_: given_head(things, Frame.of(*size)))
    content["annotations"] = content["annotations"][:3]
    Path("test.json").write_text(json.dumps(content))
    shutil.copy(content["images"][0]["file_name"], "opg.png")
    found: dict[str, Any] = {}
    exec("\n".join(BLOCKS), found)
    height, width = np.asarray(Image.open("opg.png")).shape
    assert found["second"].masks.shape == (2, height, width)
    assert found["names"] == [str(each.category) for each in found["dataset"].images[0].objects]
    assert found["dice"].shape == (3,)
    chart, numbering = found["chart"], found["numbering"]
    assert len(chart) > 20
    assert set(chart.numbers) <= {thing.name for thing in things}
    assert found["corrected"].masks.shape == (1, height, width)
    assert numbering.numbers == chart.numbers
    assert numbering.confidences[0] == 1
    curve = found["result"].metrics()["dice_at_clicks"]
    assert len(curve) == 11
    assert curve[-1] > 0.5
