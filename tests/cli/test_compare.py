"""`dentasam compare` as a user meets it."""

import json
from pathlib import Path

import pytest

from dentasam.cli.app import main
from dentasam.evaluation.curve_files import objects_csv
from dentasam.evaluation.result import ObjectResult, Result
from dentasam.evaluation.run_folder import to_json, write_file


def write_run(folder: Path, adapter: str | None, gain: float, images: int = 8, clicks: int = 2) -> Path:
    """A run folder without pictures: two objects in every image."""
    objects = tuple(
        ObjectResult(
            image_id=i,
            image=f"{i}.png",
            object_id=2 * i + j,
            category="11",
            tags=("blurred",),
            area=100,
            dice=tuple(0.6 + 0.01 * i + gain for _ in range(clicks)),
            iou=tuple(0.5 + 0.01 * i + gain for _ in range(clicks)),
            hd95_px=3.0,
            nsd_2px=0.9,
            points=((1.0, 2.0),),
            labels=(1,),
        )
        for i in range(images)
        for j in range(2)
    )
    result = Result("tiny", adapter, "gone.json", clicks, objects, {"encode": 0.1, "decode": 0.2})
    folder.mkdir()
    write_file(folder / "objects.csv", objects_csv(result))
    write_file(folder / "metrics.json", to_json(result.metrics()))
    return folder


def leave(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(str(caught.value.code))


def test_prints_the_table_and_writes_the_comparison(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    base = write_run(tmp_path / "base", None, 0.0)
    adapted = write_run(tmp_path / "adapted", "[red]teeth", 0.1)
    assert leave("compare", base, adapted, "--out", tmp_path / "out") == 0
    printed = capfd.readouterr().out
    assert "+0.1000 [+0.100, +0.100]" in printed
    assert "[red]teeth" in printed
    assert "16 objects in 8 images" in printed
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert content["differences"][0]["dice_at_clicks"]["mean"] == [0.1, 0.1]
    assert leave("compare", base, adapted, "--out", tmp_path / "out") == 2
    assert "--overwrite" in capfd.readouterr().err
    assert leave("compare", base, adapted, "--out", tmp_path / "out", "--overwrite") == 0


@pytest.mark.parametrize(
    ("other", "says"),
    [({"images": 7}, "same dataset"), ({"clicks": 3}, "same --clicks")],
)
def test_runs_that_do_not_match_cost_one_line(
    tmp_path: Path, other: dict[str, int], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    base = write_run(tmp_path / "base", None, 0.0)
    adapted = write_run(tmp_path / "adapted", "teeth", 0.1, **other)
    assert leave("compare", base, adapted, "--out", tmp_path / "out") == 2
    printed = capfd.readouterr()
    assert printed.err.count("\n") == 1
    assert says in printed.err
    assert str(adapted) in printed.err
    assert not printed.out


def test_one_folder_or_one_without_a_run_costs_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    base = write_run(tmp_path / "base", None, 0.0)
    assert leave("compare", base, "--out", tmp_path / "out") == 2
    assert "two run folders" in capfd.readouterr().err
    assert leave("compare", base, tmp_path / "nothing", "--out", tmp_path / "out") == 2
    shown = capfd.readouterr().err
    assert shown.count("\n") == 1
    assert "nothing" in shown
