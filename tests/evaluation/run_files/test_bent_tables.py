"""Tables of a run folder that were changed: each value is checked where it is read, and the error says where."""

import csv
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dentasam.evaluation.curve_files import objects_csv
from dentasam.evaluation.evaluate import evaluate
from dentasam.evaluation.run_files import table
from dentasam.evaluation.run_files.json_file import read_run_json
from dentasam.evaluation.run_files.table import joined_tags, split_tags, table_rows
from dentasam.evaluation.run_folder import RunError, read_run


@pytest.fixture
def run(bench: Any, tmp_path: Path) -> Path:
    dataset = bench.dataset(tmp_path / "data", images=2)
    evaluate(bench.segmenter(dataset, bench.grown(2)), dataset, clicks=3, out=tmp_path / "run")
    return tmp_path / "run"


def change(path: Path, column: str, value: str) -> None:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    rows[1][rows[0].index(column)] = value
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def refusal(folder: Path) -> str:
    with pytest.raises(RunError) as caught:
        read_run(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(folder))
    return str(caught.value)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[("dice_1", value) for value in ("7.5", "-3", "nan", "inf", "1e308", "0.1_5", "", "٠.٥")],
        ("iou_3", "nan"), ("nsd_2px", "nan"), ("nsd_2px", "1.01"), ("nsd_1permille", "-0.1"),
        *[("hd95_px", value) for value in ("-1", "inf", "nan", "1e300")],
        *[("width_px", value) for value in ("0", "-5", "9" * 4000, "1e3")],
        *[("mm_per_px", value) for value in ("0", "-1", "nan", "inf")],
        ("area_px", "-1"), ("image_id", "9" * 5000), ("object_id", str(10**30)),
        *[("clicks", value) for value in ("", "nan nan 1", "1 1 7", "1 1", "1 1 1 1", ";".join(["1 1 1"] * 2000))],
        *[("unheeded", value) for value in ("2", "1", "0;0;0;0", ";".join(["1"] * 50))],
        ("image", "x" * 140_000),
        ("category", "," * 140_000),
    ],
)  # fmt: skip
def test_a_value_that_no_run_writes_is_named_with_its_row_and_column(run: Path, column: str, value: str) -> None:
    if column != "clicks":
        change(run / "objects.csv", "clicks", "1 1 1;2 2 0;3 3 0")
    change(run / "objects.csv", column, value)
    line = refusal(run)
    assert line.startswith(f"{run / 'objects.csv'}: row 2, column {column}: ")
    assert line.endswith("; run `dentasam evaluate` again")


def test_the_row_is_the_one_that_a_spreadsheet_shows(run: Path) -> None:
    lines = (run / "objects.csv").read_text().splitlines()
    (run / "objects.csv").write_text("\n".join([*lines[:4], lines[4] + ",more", *lines[5:]]))
    assert f"objects.csv: row 5 has {len(lines[0].split(',')) + 1} columns, row 1 has" in refusal(run)
    (run / "objects.csv").write_text("\n".join([f"{lines[0]},dice_1", *lines[1:]]))
    assert "row 1 has column 'dice_1' twice" in refusal(run)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _zeros(path: Path) -> None:
    path.write_bytes(b"")
    os.truncate(path, 1 << 30)


def _longer(path: Path) -> None:
    os.truncate(path, 1 << 30)


@pytest.mark.parametrize("file", ["objects.csv", "predictions.json", "metrics.json"])
@pytest.mark.parametrize(
    ("bend", "says"),
    [
        (_pipe, "not a regular file but a pipe"),
        (_folder, "s a directory"),
        (_zeros, "is not "),
        (_longer, "is not "),
    ],
)
def test_what_is_no_file_of_a_run_is_not_read(
    run: Path, file: str, bend: Callable[[Path], None], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend(run / file)
    read = [0]

    def counted(method: Any) -> Any:
        def call(*args: Any) -> Any:
            content = method(*args)
            read[0] += len(content)
            return content

        return call

    monkeypatch.setattr(table._Lines, "__next__", counted(table._Lines.__next__))
    line = refusal(run)
    assert line.startswith(f"{run / file}: ")
    assert says in line
    assert "`dentasam evaluate`" in line
    assert read[0] < 1 << 21


def test_files_are_bounded(run: Path) -> None:
    with pytest.raises(RunError, match=r"objects\.csv: is larger than 0 MB"):
        next(table_rows(run / "objects.csv", limit=100))
    with pytest.raises(RunError, match=r"predictions\.json: is not JSON \(larger than 0 MB\)"):
        read_run_json(run / "predictions.json", 100)


def test_rows_are_read_one_at_a_time(run: Path) -> None:
    heading, first = (run / "objects.csv").read_text().splitlines()[:2]
    (run / "objects.csv").write_text("\n".join([heading, first, "x"]))
    rows = table_rows(run / "objects.csv")
    assert next(rows).whole("object_id") == 0
    with pytest.raises(RunError, match="row 3 has 1 columns"):
        next(rows)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dice_at_clicks", [0.5, 0.6, 0.7]), ("dice_at_clicks", [float("nan")] * 3), ("dice_at_clicks", [1]),
        ("dice_at_clicks", {}), ("iou_at_clicks", [1, 1, 1]), ("images", 9), ("surface", {"hd95_px": 1}),
        ("surface", 3), ("surface", {"nsd_2px": None}),
    ],
)  # fmt: skip
def test_means_that_are_not_those_of_the_table_are_noticed(run: Path, key: str, value: Any) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(metrics | {key: value}))
    line = refusal(run)
    assert line.startswith(f"{run / 'metrics.json'}: {key}")
    assert f" by {run / 'objects.csv'}; run `dentasam evaluate` again" in line


def test_a_table_changed_alone_is_noticed(run: Path) -> None:
    change(run / "objects.csv", "dice_2", "0.5")
    assert "metrics.json: dice_at_clicks at click 2 is" in refusal(run)


def test_a_score_that_is_no_number_is_refused(run: Path) -> None:
    entries = json.loads((run / "predictions.json").read_text())
    (run / "predictions.json").write_text(json.dumps([entry | {"score": "high"} for entry in entries]))
    assert "predictions.json: does not fit" in refusal(run)


TAGS = [
    ("a|b",), ("a", "b"), ("|",), ("a|", "|b"), ("a\\|b", "c\\"), ("\\u007c",), ("\\\\u007c|",), ("a\\\\", "b"),
    ("-a|b", "=c"),
]  # fmt: skip


@pytest.mark.parametrize("tags", TAGS)
def test_tags_read_back_as_they_were(run: Path, tags: tuple[str, ...]) -> None:
    assert split_tags(joined_tags(tags)) == tags
    result = read_run(run)
    first = replace(result.objects[0], tags=tags)
    (run / "objects.csv").write_text(objects_csv(replace(result, objects=(first, *result.objects[1:]))))
    assert read_run(run).objects[0].tags == tags


def test_tags_of_an_earlier_version_read_as_before() -> None:
    assert split_tags("") == ()
    assert split_tags("blurred|a\\b|c\\\\|\\|=1") == ("blurred", "a\\b", "c\\\\", "\\", "=1")
