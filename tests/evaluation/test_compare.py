"""Comparisons are paired, over the same objects only, and say so in every file they write."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dentasam.evaluation.comparison.compare import COMPARISON_FILES, compare
from dentasam.evaluation.comparison.comparison import compare_results
from dentasam.evaluation.evaluate import evaluate
from dentasam.evaluation.result import Result
from dentasam.evaluation.run_folder import RunError

NAMES = [Path("base"), Path("adapted"), Path("third")]


@pytest.fixture
def results(bench: Any, dataset: Any) -> list[Result]:
    """The same objects measured with a poor, a good and a perfect segmenter."""
    return [
        evaluate(bench.segmenter(dataset, change, adapter=adapter), dataset, clicks=3)
        for change, adapter in ((bench.grown(4), None), (bench.grown(2), "good"), (bench.perfect, "best"))
    ]


def test_differences_are_paired_by_object_at_equal_clicks(results: list[Result]) -> None:
    comparison = compare_results(NAMES, results, resamples=500)
    assert comparison.names == ("dentasam-tiny", "good", "best")
    for difference, result in zip(comparison.differences, results[1:], strict=True):
        expected = (result.dice() - results[0].dice()).mean(axis=0)
        assert difference.overall.dice.mean == pytest.approx(expected)
        assert difference.overall.dice.excludes_zero.all()
        assert difference.overall.surface.mean[0] < 0 < difference.overall.surface.mean[1]
    assert comparison.differences[1].overall.noc.mean[2] == 1 - results[0].noc()[0][:, 2].mean() < 0
    assert comparison.differences[1].overall.failures.mean[2] == pytest.approx(-results[0].noc()[1][:, 2].mean())
    # objects differ more between each other than by the runs do: pairing makes the interval narrow
    gain = comparison.differences[0].overall.dice
    base = comparison.means[0].dice
    assert gain.high[0] - gain.low[0] < 0.5 * (base.high[0] - base.low[0])


def test_a_run_against_its_copy_is_zero_and_excludes_nothing(results: list[Result]) -> None:
    comparison = compare_results(NAMES[:2], [results[0], replace(results[0], adapter="copy")])
    overall = comparison.differences[0].overall
    known = overall.surface[:4]  # no pixel size, no millimetres
    shares = (*overall.shares.values(), *overall.corrections.values())
    assert len(shares) == 6
    for part in (overall.dice, overall.iou, overall.noc, overall.failures, overall.noc_dice, known, *shares):
        assert (part.mean == 0).all()
        assert (part.low == 0).all()
        assert (part.high == 0).all()
        assert not part.excludes_zero.any()


def test_the_order_of_rows_does_not_matter(results: list[Result]) -> None:
    shuffled = replace(results[1], objects=tuple(reversed(results[1].objects)))
    straight = compare_results(NAMES[:2], results[:2], resamples=200).to_dict()
    assert compare_results(NAMES[:2], [results[0], shuffled], resamples=200).to_dict() == straight


def test_groups_hold_their_own_objects_and_few_images_have_no_interval(results: list[Result]) -> None:
    difference = compare_results(NAMES[:2], results[:2], resamples=200).differences[0]
    blurred = difference.by_tag["blurred"]
    assert (blurred.objects, blurred.images) == (12, 4)
    assert np.isnan(blurred.dice.low).all()
    assert difference.by_tooth_type["molar"].images == 8
    assert np.isfinite(difference.by_tooth_type["molar"].dice.low).all()


@pytest.mark.parametrize("difference", ["clicks", "fewer objects", "another mask", "another image"])
def test_runs_of_other_objects_are_refused(results: list[Result], bench: Any, dataset: Any, difference: str) -> None:
    first = results[1].objects[0]
    others = {
        "clicks": lambda: evaluate(bench.segmenter(dataset, bench.perfect), dataset, clicks=2),
        "fewer objects": lambda: replace(results[1], objects=results[1].objects[1:]),
        "another mask": lambda: replace(
            results[1], objects=(replace(first, area=first.area + 1), *results[1].objects[1:])
        ),
        "another image": lambda: replace(results[1], objects=(replace(first, image_id=99), *results[1].objects[1:])),
    }
    with pytest.raises(RunError, match="adapted: ") as caught:
        compare_results(NAMES[:2], [results[0], others[difference]()])
    assert "run `dentasam evaluate`" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_run_or_the_same_run_twice_is_refused(results: list[Result]) -> None:
    with pytest.raises(RunError, match="two run folders"):
        compare_results(NAMES[:1], results[:1])
    with pytest.raises(RunError, match="given twice"):
        compare_results([NAMES[0], NAMES[0]], [results[0], results[0]])


def test_runs_of_equal_models_are_told_apart_by_their_folders(results: list[Result]) -> None:
    comparison = compare_results([Path("a/x"), Path("a/y")], [results[0], results[0]], resamples=10)
    assert comparison.names == ("dentasam-tiny (x)", "dentasam-tiny (y)")
    other = replace(results[1], model="sam-hq-vit-b")
    assert compare_results(NAMES[:2], [results[0], other], resamples=10).names == (
        "dentasam-tiny",
        "sam-hq-vit-b + good",
    )


@pytest.fixture
def folders(bench: Any, dataset: Any, tmp_path: Path) -> list[Path]:
    made = []
    for name, change, adapter in (("base", bench.grown(4), None), ("adapted", bench.grown(2), "good")):
        evaluate(bench.segmenter(dataset, change, adapter=adapter), dataset, clicks=3, out=tmp_path / name)
        made.append(tmp_path / name)
    return made


def test_all_files_are_written_and_agree(folders: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "comparison"
    comparison = compare(folders, out, resamples=300)
    assert {path.name for path in out.iterdir()} == set(COMPARISON_FILES)
    content = json.loads((out / "comparison.json").read_text())
    assert content == comparison.to_dict()
    assert content["base"] == "dentasam-tiny"
    assert content["bootstrap"] == {
        "unit": "image", "paired": True, "confidence": 0.95, "resamples": 300, "seed": 0
    }  # fmt: skip
    difference = content["differences"][0]
    assert difference["run"] == "good"
    assert all(low > 0 for low in difference["dice_at_clicks"]["low"])
    assert difference["by_tag"]["blurred"]["dice_at_clicks"]["low"] == [None] * 3
    table = (out / "comparison.md").read_text()
    mean, low, high = (difference["dice_at_clicks"][key][0] for key in ("mean", "low", "high"))
    assert f"| {mean:+.4f} [{low:+.4f}, {high:+.4f}] |" in table
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert all(row.count("|") == 5 for row in rows[:5])


def test_a_folder_of_an_earlier_version_is_compared_with_dashes(folders: list[Path], tmp_path: Path) -> None:
    old = folders[0]
    metrics = json.loads((old / "metrics.json").read_text())
    for key in ("windows", "repair", "answers", "unheeded_at_clicks", "noc_dice"):
        del metrics[key]
    (old / "metrics.json").write_text(json.dumps(metrics))
    rows = list(csv.DictReader((old / "objects.csv").open()))
    kept = list(rows[0])[: list(rows[0]).index("clicks") + 1]
    with (old / "objects.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    comparison = compare(folders, tmp_path / "out", resamples=50).curves
    assert comparison is not None
    assert comparison.means[0].shares == comparison.differences[0].overall.shares == {}
    assert comparison.means[1].shares.keys() == {"unheeded", "repaired", "repeated"}
    table = (tmp_path / "out" / "comparison.md").read_text()
    (row,) = [line for line in table.splitlines() if line.startswith("| HD95, ‰")]
    assert [cell.strip() for cell in row.split("|")][2] == "–"
    assert [cell.strip() for cell in row.split("|")][4] == "–"
    assert f"{comparison.means[1].surface.mean[2]:.2f}" in row
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert content["runs"][0]["surface"]["hd95_permille"] == {"mean": None, "low": None, "high": None}
    # What the old folder's Dice says is there.
    assert content["runs"][0]["noc_dice"]["95"]["mean"] == pytest.approx(comparison.base.noc_dice()[0][:, 3].mean())
    assert "–" in (tmp_path / "out" / "comparison.html").read_text()


def test_the_page_has_panels_only_where_the_dataset_still_lies(folders: list[Path], tmp_path: Path) -> None:
    compare(folders, tmp_path / "a", resamples=50)
    page = (tmp_path / "a" / "comparison.html").read_text()
    assert page.count("data:image/jpeg") == 2 + 4 + 2 * 4  # whole image and two close-ups of the one tag
    moved = tmp_path / "elsewhere"
    (tmp_path / "data").rename(moved)
    compare(folders, tmp_path / "b", resamples=50)
    page = (tmp_path / "b" / "comparison.html").read_text()
    assert "data:image/jpeg" not in page
    assert "--dataset" in page
    compare(folders, tmp_path / "c", data=moved / "test.json", resamples=50)
    assert "data:image/jpeg" in (tmp_path / "c" / "comparison.html").read_text()

    # The JSON alone has moved: its images are named.
    apart = tmp_path / "apart"
    apart.mkdir()
    (moved / "test.json").rename(apart / "test.json")
    compare(folders, tmp_path / "d", data=apart / "test.json", images=moved, resamples=50)
    assert (tmp_path / "d" / "comparison.html").read_text().count("data:image/jpeg") == 2 + 4 + 2 * 4
