"""metrics.json keeps the contract that outside scripts rely on; what is written can be read back."""

import csv
import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.errors import OutputError
from dentasam.evaluation import run_folder
from dentasam.evaluation.curve_files import objects_csv
from dentasam.evaluation.evaluate import evaluate
from dentasam.evaluation.overlays import decoded
from dentasam.evaluation.result import SURFACE_MEASURES, Result, tooth_type
from dentasam.evaluation.run_folder import CURVE, RunError, claim_run, read_run, write_file

# the contract of metrics.json; by_tooth_type and precision are ours on top
KEYS = {
    "model", "adapter", "dataset", "images", "objects", "clicks", "dice_at_clicks", "iou_at_clicks", "noc",
    "failures", "surface", "by_tag", "by_category", "seconds",
}  # fmt: skip
MORE_KEYS = {
    "by_tooth_type", "precision", "windows", "repair", "answers", "clicks_given", "unheeded_at_clicks",
    "repaired_at_clicks", "repeated_at_clicks", "corrections", "first_click_missed", "noc_dice", "failures_dice",
}  # fmt: skip


@pytest.fixture
def run(bench: Any, dataset: Any, tmp_path: Path) -> tuple[Result, Path]:
    segmenter = bench.segmenter(dataset, bench.grown(2), adapter="panoramic-teeth")
    out = tmp_path / "run"
    return evaluate(segmenter, dataset, clicks=3, out=out), out


def test_metrics_json_keeps_the_contract(run: tuple[Result, Path], dataset: Any) -> None:
    result, out = run
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics.keys() == KEYS | MORE_KEYS
    assert metrics["model"] == "dentasam-tiny"
    assert metrics["adapter"] == "panoramic-teeth"
    assert metrics["dataset"] == str(dataset.path)
    assert (metrics["images"], metrics["objects"], metrics["clicks"]) == (8, 24, 3)
    assert len(metrics["dice_at_clicks"]) == len(metrics["iou_at_clicks"]) == 3
    assert metrics["dice_at_clicks"] == pytest.approx(result.dice().mean(axis=0), abs=1e-6)
    assert metrics["noc"].keys() == metrics["failures"].keys() == {"80", "85", "90"}
    assert metrics["noc_dice"].keys() == metrics["failures_dice"].keys() == {"80", "85", "90", "95"}
    assert metrics["surface"].keys() == {*SURFACE_MEASURES, "objects_with_mm"}
    assert metrics["seconds"].keys() == {"encode", "decode"}
    assert metrics["by_tag"].keys() == {"blurred"}
    assert metrics["by_category"].keys() == {"11", "36", "implant"}
    assert metrics["by_tooth_type"].keys() == {"incisor", "molar", "other"}
    for group in ("by_tag", "by_category", "by_tooth_type"):
        for part in metrics[group].values():
            assert part.keys() == {"objects", "dice_at_clicks"}
            assert len(part["dice_at_clicks"]) == 3
    blurred = [item.dice[0] for item in result.objects if item.image_id % 2 == 0]
    assert metrics["by_tag"]["blurred"]["objects"] == 12
    assert metrics["by_tag"]["blurred"]["dice_at_clicks"][0] == pytest.approx(np.mean(blurred), abs=1e-6)


def test_objects_csv_has_a_row_per_object(run: tuple[Result, Path]) -> None:
    result, out = run
    rows = list(csv.DictReader((out / "objects.csv").open()))
    assert len(rows) == 24
    for row, item in zip(rows, result.objects, strict=True):
        assert float(row["dice_1"]) == pytest.approx(item.dice[0], abs=1e-6)
        assert float(row["iou_3"]) == pytest.approx(item.iou[2], abs=1e-6)
        assert int(row["area_px"]) == item.area
        assert len(row["clicks"].split(";")) == len(item.points)


def test_a_run_reads_back_as_it_was(run: tuple[Result, Path]) -> None:
    result, out = run
    again = read_run(out)
    assert again.dice() == pytest.approx(result.dice(), abs=1e-6)
    assert again.surface() == pytest.approx(result.surface(), abs=1e-4, nan_ok=True)
    assert (again.windows, again.repair) == (result.windows, result.repair) == (True, True)
    for item, known in zip(again.objects, result.objects, strict=True):
        assert (item.object_id, item.category, item.tags, item.area) == (
            known.object_id, known.category, known.tags, known.area
        )  # fmt: skip
        assert item.labels == known.labels
        assert item.points == known.points
        assert (item.unheeded, item.repaired, item.windowed, item.repeated) == (
            known.unheeded, known.repaired, known.windowed, known.repeated
        )  # fmt: skip
        assert (item.width, item.mm_per_px) == (96, None)
        assert (item.first, item.final, item.score) == (known.first, known.final, known.score)
    (out / "predictions.json").unlink()
    assert all(item.final is None for item in read_run(out).objects)


def test_names_like_formulas_are_escaped_and_read_back(run: tuple[Result, Path]) -> None:
    result, out = run
    first = replace(result.objects[0], image="=1+1.png", category="@SUM(A1)", tags=("-a|b", "c"))
    (out / "objects.csv").write_text(objects_csv(replace(result, objects=(first, *result.objects[1:]))))
    row = next(csv.DictReader((out / "objects.csv").open()))
    assert (row["image"], row["category"], row["tags"]) == ("'=1+1.png", "'@SUM(A1)", "'-a\\\\u007cb|c")
    assert float(row["dice_1"]) == pytest.approx(first.dice[0], abs=1e-6)
    again = read_run(out).objects[0]
    assert (again.image, again.category, again.tags) == ("=1+1.png", "@SUM(A1)", ("-a|b", "c"))


def test_predictions_are_a_coco_result_list(run: tuple[Result, Path], dataset: Any) -> None:
    from pycocotools import mask
    from pycocotools.coco import COCO

    result, out = run
    loaded = COCO(str(dataset.path)).loadRes(str(out / "predictions.json"))
    assert len(loaded.anns) == 24
    truth = dataset.images[0].masks()[0]
    first = loaded.anns[1]
    assert (mask.decode(first["segmentation"]) == truth).all()  # the third click made it perfect
    assert (decoded(result.objects[0].final, truth.shape) == truth).all()
    assert loaded.cats[first["category_id"]]["name"] == "11"


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("metrics.json", None, "is missing"),
        ("metrics.json", "{", "is not JSON"),
        ("metrics.json", "[]", "does not fit"),
        ("objects.csv", None, "cannot be read"),
        ("objects.csv", "image_id\n1\n", "row 1 has no column clicks; run"),
        ("predictions.json", "[{}]", "does not fit"),
    ],
)
def test_damaged_folders_are_named_in_one_line(
    run: tuple[Result, Path], file: str, content: str | None, says: str
) -> None:
    _, out = run
    (out / file).unlink()
    if content is not None:
        (out / file).write_text(content)
    with pytest.raises(RunError, match=says) as caught:
        read_run(out)
    assert str(out) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_masks_that_do_not_fit_their_size_are_not_decoded(run: tuple[Result, Path]) -> None:
    _, out = run
    entries = json.loads((out / "predictions.json").read_text())
    entries[3]["segmentation"]["size"] = [1 << 20, 1 << 20]
    (out / "predictions.json").write_text(json.dumps(entries))
    with pytest.raises(RunError, match="predictions.json"):
        read_run(out)


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path / "a.json", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_file(tmp_path / "a.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


def test_an_overwrite_that_dies_leaves_no_metrics_that_describe_other_files(
    run: tuple[Result, Path], bench: Any, dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out = run

    def dies(path: Path, content: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_folder, "write_file", dies)
    with pytest.raises(KeyboardInterrupt):
        evaluate(bench.segmenter(dataset, bench.perfect), dataset, clicks=1, limit=1, out=out, overwrite=True)
    with pytest.raises(RunError, match="metrics.json: is missing"):
        read_run(out)


def test_json_holds_no_nan(run: tuple[Result, Path]) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        run_folder.to_json({"a": math.nan})


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("11", "incisor"), ("42", "incisor"), ("13", "canine"), ("25", "premolar"), ("38", "molar"),
        ("51", "incisor"), ("63", "canine"), ("85", "molar"),
        ("86", "other"), ("19", "other"), ("01", "other"), ("1", "other"), ("", "other"),
        ("implant", "other"), ("١١", "other"),
    ],
)  # fmt: skip
def test_tooth_types(category: str, expected: str) -> None:
    assert tooth_type(category) == expected


def test_a_link_in_a_folder_to_be_overwritten_is_replaced(
    run: tuple[Result, Path], bench: Any, dataset: Any, tmp_path: Path
) -> None:
    _, out = run
    victim = tmp_path / "victim"
    victim.write_text("precious")
    names = sorted(path.name for path in out.iterdir())
    for name in names:
        (out / name).unlink()
        (out / name).symlink_to(victim)
    claim_run(out, CURVE, overwrite=True)
    for name in names:
        write_file(out / name, "new")
    assert victim.read_text() == "precious"
    assert [path.name for path in out.iterdir() if path.is_symlink()] == []
