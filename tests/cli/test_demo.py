"""`dentasam demo`: its data, and the whole tour at the smallest size with a model of random weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dentasam.cli import app, demo
from dentasam.data.dataset import Dataset
from dentasam.model.checkpoints.checkpoint import save_checkpoint
from dentasam.model.sam_hq import build_sam_hq


def test_another_device_keeps_the_order_of_grays_reversed() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (400, 1))
    seen = demo.another_device(ramp, seed=1)
    assert seen.dtype == np.uint8
    means = seen.mean(axis=0)
    assert means[0] > means[64] > means[128] > means[255]
    assert seen.std(axis=0)[100] == pytest.approx(6, abs=1)
    np.testing.assert_array_equal(seen, demo.another_device(ramp, seed=1))


def test_the_parts_share_no_image_and_the_test_has_every_condition(tmp_path: Path) -> None:
    test, train = demo._draw(tmp_path)
    assert not {image.id for image in test.images} & {image.id for image in train.images}
    assert len(test.images) + len(train.images) == demo.PHANTOMS
    conditions = {"blurred", "ambiguous-boundary", "overlap", "artifact"}
    assert conditions <= {tag for image in test.images for tag in image.tags}
    assert len(test.images) == 6  # the fewest that have an interval
    assert max(len(image.objects) for image in test.images) == demo.OBJECTS_PER_IMAGE
    assert min(len(image.objects) for image in train.images) > demo.OBJECTS_PER_IMAGE


def test_the_whole_tour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    base = tmp_path / "base.safetensors"
    save_checkpoint(build_sam_hq("vit_tiny"), base)
    for name, value in {"PHANTOMS": 3, "PLAIN_IMAGES": 1, "CLICKS": 2, "OBJECTS_PER_IMAGE": 2}.items():
        monkeypatch.setattr(demo, name, value)
    short = tuple(setting for setting in demo.SETTINGS if not setting.startswith("budget.steps"))
    monkeypatch.setattr(demo, "SETTINGS", (*short, "budget.steps=1"))

    out = tmp_path / "out"
    with pytest.raises(SystemExit) as leaving:
        app.main(["demo", "--out", str(out), "--model", str(base)])
    shown = capsys.readouterr()
    assert leaving.value.code == 0, shown.err

    curves = [json.loads((out / run / "metrics.json").read_text())["dice_at_clicks"] for run in ("base", "adapted")]
    rows = [line.split() for line in shown.out.splitlines() if line.strip()[:1].isdigit() and "/" not in line]
    assert [(int(row[0]), float(row[1]), float(row[2])) for row in rows] == [
        (k, pytest.approx(curves[0][k - 1], abs=6e-4), pytest.approx(curves[1][k - 1], abs=6e-4)) for k in (1, 2)
    ]
    report = (out / "report.html").read_text()
    assert report == (out / "comparison" / "comparison.html").read_text()
    assert "data:image/" in report
    card = json.loads((out / "training" / "adapter" / "dentasam.json").read_text())
    assert (card["scope"], card["base_model"]) == ("encoder+decoder", "base")
    assert "synthetic" in card["data"]
    assert Dataset.load(out / "phantoms" / "test.json").objects == 4


def test_a_folder_in_use_is_told_before_anything_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(SystemExit) as leaving:
        app.main(["demo", "--out", str(tmp_path)])
    assert leaving.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
