"""`dentasam predict` without prompts: what it prints, its exit codes, and its processes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import dentasam.model.runtime
from dentasam.cli import app

from ..evaluation.archive import stand_in
from ..evaluation.archive.stand_in import StandIn, contents, save_image


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for number in range(5):
        save_image(tmp_path / "scans" / f"{number}.png", number)
    return tmp_path / "scans"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    model = StandIn()
    monkeypatch.setattr(dentasam.model.runtime, "load_torch", lambda *args, **options: model)
    return model


def leave(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leaving:
        app.main(["predict", *map(str, arguments)])
    assert isinstance(leaving.value.code, int)
    return leaving.value.code


def test_what_is_printed(model: StandIn, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_image(scans / "6.png", 7)
    assert leave(scans, "--out", tmp_path / "out", "--min-confidence", "0.4") == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].startswith("0.png: 0 teeth, missing 18 17 16 ")
    assert lines[5].startswith("6.png: 5 teeth, 1 implant, missing 17 16 ")
    assert lines[5].endswith(" 37 38, unsure implant")
    assert lines[6].startswith("6 of 6 images charted now, ")
    assert lines[6].endswith(" images/s")
    assert lines[7] == f"6 images, 15 teeth, 1 implant, 1 unsure object left out → {tmp_path / 'out'}"
    assert shown.err == ""


def test_bad_images_end_the_output_and_are_the_exit_code(
    model: StandIn, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = scans / "broken.png"
    broken.write_bytes(b"")
    for _ in range(2):  # done, and resumed
        assert leave(scans, "--out", tmp_path / "out", "--resume") == 2
        assert capsys.readouterr().err.splitlines() == [
            f"dentasam: broken.png: no chart: {broken} is empty; copy it again from its source",
            "dentasam: 1 of 6 images have no chart; charts.csv has all reasons",
        ]
    save_image(scans / "bad.png", 99)
    assert leave(scans, "--out", tmp_path / "out", "--resume") == 1
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("dentasam: bad.png: no chart: internal error: ZeroDivisionError: no tooth (stand_in.py:")


def test_shards_and_the_line_about_those_that_are_left(
    model: StandIn, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(scans, "--out", tmp_path / "out", "--shard", "2/2") == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1] == "3 images of other shards have no chart yet; the tables are written with the last of them"
    assert sorted(model.charted) == [1, 3]
    assert leave(scans, "--out", tmp_path / "out", "--shard", "1/2") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("5 images, 10 teeth, 0 implants → ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "3/2"], "Invalid value for '--shard': '3/2' is not I/N with I from 1 to N"),
        (["--min-confidence", "1.5"], "Invalid value for '--min-confidence'"),
    ],
)
def test_wrong_options_are_one_line(
    model: StandIn, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert leave(scans, "--out", tmp_path / "out", *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_chart_head(
    model: StandIn, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.has_chart, model.adapter = False, None
    assert leave(scans, "--out", tmp_path / "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "has no chart head" in line
    assert not (tmp_path / "out").exists()


ALONE = f"""
import sys
sys.path.insert(0, {str(Path(stand_in.__file__).parent)!r})
import dentasam.model.runtime
from stand_in import StandIn
dentasam.model.runtime.load_torch = lambda *args, **options: StandIn(pause=0.01)
from dentasam.cli.app import main
main()
"""


def test_two_processes_share_the_images(model: StandIn, scans: Path, tmp_path: Path) -> None:
    (scans / "broken.png").write_bytes(b"")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    together = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", ALONE, "predict", str(scans), "--out", str(tmp_path / "two"), "--device", "cpu"],
            env=os.environ | together | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    ended = [(*process.communicate(timeout=300), process.returncode) for process in ranks]
    assert [code for _, _, code in ended] == [2, 2], ended
    assert leave(scans, "--out", tmp_path / "one", "--device", "cpu") == 2
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    # Each says what it charted, and the first one the sums and the errors.
    assert [line[:5] for out, _, _ in ended for line in out.splitlines() if ": " in line] == [
        "0.png",
        "2.png",
        "4.png",
        "1.png",
        "3.png",
        "broke",
    ]
    assert "6 of 6 images charted now" in ended[0][0]
    assert "images" not in ended[1][0]
    assert [err.count("broken.png: no chart") for _, err, _ in ended] == [1, 0]
