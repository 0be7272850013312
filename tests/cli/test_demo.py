"""`dentasam demo`: the whole tour at the smallest size with a model of random weights."""

import json
from pathlib import Path

import pytest
import torch

from dentasam.cli import app
from dentasam.data.dataset import Dataset
from dentasam.demo import tour
from dentasam.demo.tour import TourSize
from dentasam.model.checkpoints.saving import save_checkpoint
from dentasam.model.sam_hq import build_sam_hq


def test_the_whole_tour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    base = tmp_path / "base.safetensors"
    save_checkpoint(build_sam_hq("vit_tiny"), base)
    monkeypatch.setattr(tour, "TourSize", lambda: TourSize(3, 1, 2, 2, 1))

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
