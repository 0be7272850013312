"""`dentasam predict` over a stand-in for the model that writes down what it is asked."""

import csv
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dentasam.model.runtime
from dentasam.cli import app
from dentasam.data.dataset import Dataset
from dentasam.data.images.read import read_image
from dentasam.data.phantom import generate
from dentasam.data.prompt_files.prompts import ObjectPrompt as Prompt
from dentasam.evaluation import pixel_budget, prediction
from dentasam.evaluation.prediction import predict_objects
from dentasam.evaluation.prediction_run import unique_names
from dentasam.model.core.frame import Frame
from dentasam.model.windows.boxed_mask import BoxedMask
from dentasam.model.windows.objects import ObjectAnswer, ObjectPrompt


@dataclass
class Recorder:
    """Its mask for an object is a square around the last positive click, or the box; nothing at x = 0."""

    calls: list[list[ObjectPrompt]] = field(default_factory=list)
    loaded: list[tuple[Any, ...]] = field(default_factory=list)
    asked: list[tuple[bool, bool]] = field(default_factory=list)

    def merged(self) -> "Recorder":
        return self

    def encode(self, image: np.ndarray) -> tuple[int, ...]:
        # What an embedding knows: a later image may be encoded before this one's objects are asked for.
        return image.shape

    def windows(
        self,
        image: np.ndarray,
        embedding: tuple[int, ...],
        *,
        windows: bool = True,
        repair: bool = True,
        objects: int = 0,
    ) -> SimpleNamespace:
        self.asked.append((windows, repair))
        return SimpleNamespace(frame=Frame.of(*embedding), decode=self.decode, uses_windows=windows)

    def decode(self, prompts: list[ObjectPrompt]) -> list[ObjectAnswer]:
        self.calls.append(prompts)
        answers = []
        for prompt, score in zip(prompts, np.linspace(0.5, 0.9, len(prompts)), strict=True):
            if prompt.box is not None:
                x0, y0, x1, y1 = map(int, prompt.box)
            else:
                x, y = prompt.clicks[prompt.clicks[:, 2] == 1][-1, :2].astype(int)
                x0, y0, x1, y1 = (x - 2, y - 2, x + 3, y + 3) if x else (0, 0, 0, 0)
            mask = BoxedMask(x0, y0, np.ones((y1 - y0, x1 - x0), bool))
            logits = np.full((4, 4), len(self.calls), np.float32)
            answers.append(ObjectAnswer(mask, logits, float(score)))
        return answers


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    stand_in = Recorder()

    def load(model: str, adapter: str | None, device: str | None, precision: str, chart: None) -> Recorder:
        stand_in.loaded.append((model, adapter, device, precision))
        return stand_in

    monkeypatch.setattr(dentasam.model.runtime, "load_torch", load)
    return stand_in


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "opg.png"
    Image.fromarray(np.arange(40 * 60, dtype=np.uint16).reshape(40, 60)).save(path)
    return path


def leave(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leaving:
        app.main(["predict", *map(str, arguments)])
    assert isinstance(leaving.value.code, int)
    return leaving.value.code


def test_clicks_are_given_one_at_a_time_with_the_answer_before() -> None:
    recorder = Recorder()
    wanted = [
        Prompt("11", ((10, 10, 1), (20, 10, 0))),
        Prompt("12", (), (1, 2, 9, 8)),
        Prompt("13", ((30, 30, 1), (40, 30, 1))),
        Prompt("14", ((5, 5, 1),), (4, 4, 8, 8)),
    ]
    view = recorder.windows(np.zeros((40, 60)), (40, 60))
    answers = predict_objects(view, wanted)  # type: ignore[arg-type]
    first, second = recorder.calls
    assert not any(prompt.prefer_part for prompt in first)
    assert [(len(prompt.clicks), prompt.box, prompt.previous) for prompt in first] == [
        (1, None, None),
        (0, (1, 2, 9, 8), None),
        (1, None, None),
        (1, (4, 4, 8, 8), None),
    ]
    np.testing.assert_array_equal(
        [prompt.clicks for prompt in second], [[[10, 10, 1], [20, 10, 0]], [[30, 30, 1], [40, 30, 1]]]
    )
    for prompt in second:
        assert prompt.previous is not None
        np.testing.assert_array_equal(prompt.previous.logits, np.ones((4, 4)))
    assert answers[1].mask.bits.sum() == 8 * 6
    assert answers[2].mask.at(40, 30)
    assert not answers[2].mask.at(30, 30)
    np.testing.assert_allclose([answer.score for answer in answers], [0.5, 0.5 + 0.4 / 3, 0.9, 0.9])
    assert predict_objects(view, []) == []  # type: ignore[arg-type]


def test_a_click_on_a_filling_prefers_the_part() -> None:
    recorder = Recorder()
    wanted = [Prompt("root filling", ((10, 10, 1),)), Prompt("root filling", ((10, 10, 1),), (5, 5, 20, 20))]
    wanted.append(Prompt("36", ((30, 30, 1),)))
    for windows in (True, False):
        predict_objects(recorder.windows(np.zeros((40, 60)), (40, 60), windows=windows), wanted)  # type: ignore[arg-type]
    found = [[prompt.prefer_part for prompt in call] for call in recorder.calls]
    assert found == [[True, False, False], [False, False, False]]


def test_objects_of_a_huge_image_are_decoded_some_at_a_time(
    recorder: Recorder, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({image.name: [[2, 3, 9, 9 + number] for number in range(5)]}))
    areas = []
    for masks_at_once in (2, 100):
        recorder.calls.clear()
        monkeypatch.setattr(prediction, "MASK_BYTES", masks_at_once * 40 * 60)
        out = tmp_path / str(masks_at_once)
        assert leave(image, "--boxes", boxes, "--out", out) == 0
        assert [len(call) for call in recorder.calls] == ([2, 2, 1] if masks_at_once == 2 else [5])
        rows = list(csv.DictReader((out / "objects.csv").open(encoding="utf-8")))
        areas.append([(row["object"], row["area_px"]) for row in rows])
    assert areas[0] == areas[1]
    assert [area for _, area in areas[0]] == ["42", "49", "56", "63", "70"]


def test_one_image_that_fills_the_budget_is_not_read_ahead(
    recorder: Recorder, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_budget.PixelBudget, "__init__", functools.partialmethod(budget_of, 40 * 60))
    held: list[str] = []
    read = read_image
    monkeypatch.setattr(prediction, "read_image", lambda path: (held.append("read"), read(path))[1])
    decode = recorder.decode
    monkeypatch.setattr(recorder, "decode", lambda prompts: (held.append("decoded"), decode(prompts))[1])
    others = [Path(shutil.copy(image, tmp_path / f"{name}.png")) for name in "ab"]
    assert leave(image, *others, "--boxes", "2,3,9,9", "--out", tmp_path / "out") == 0
    assert held == ["read", "decoded"] * 3


def budget_of(budget: pixel_budget.PixelBudget, pixels: int) -> None:
    budget._pixels, budget._taken, budget._changed = pixels, 0, threading.Condition()


def test_windows_and_repair_are_on_unless_turned_off(recorder: Recorder, image: Path, tmp_path: Path) -> None:
    given = [image, "--boxes", "2,3,9,9", "--out"]
    assert leave(*given, tmp_path / "on") == 0
    assert leave(*given, tmp_path / "off", "--no-windows", "--no-repair") == 0
    assert recorder.asked == [(True, True), (False, False)]


def test_names_are_told_apart() -> None:
    paths = [Path("a/opg.png"), Path("b/opg.png"), Path("b/OPG.dcm"), Path("opg-2.png")]
    assert list(unique_names(paths).values()) == ["opg.png", "opg-2.png", "OPG-3.dcm", "opg-2-2.png"]


def test_names_like_formulas_are_escaped(recorder: Recorder, image: Path, tmp_path: Path) -> None:
    formula = image.rename(tmp_path / "=1+1.png")
    prompts = tmp_path / "clicks.yaml"
    prompts.write_text("=1+1.png: [{category: '@SUM(A1)', clicks: [[10, 10, 1]]}]\n")
    assert leave(formula, "--prompts", prompts, "--out", tmp_path / "out") == 0
    (row,) = csv.DictReader((tmp_path / "out" / "objects.csv").open())
    assert (row["image"], row["category"], row["area_px"]) == ("'=1+1.png", "'@SUM(A1)", "25")


def test_prompts_and_boxes_together(
    recorder: Recorder, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = tmp_path / "clicks.yaml"
    prompts.write_text("opg.png:\n  - {category: 36, clicks: [[10, 10, 1]]}\n  - {clicks: [[0, 9, 1]]}\n")
    out = tmp_path / "out"
    code = leave(image, "--prompts", prompts, "--boxes", "20,20,30,35", "--boxes", "1,1,5,5", "--out", out)
    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert recorder.loaded == [("dentasam-tiny", "panoramic-teeth", None, "auto")]
    (record,) = Dataset.load(out / "dataset.json").images
    assert [(each.category, each.area) for each in record.objects] == [
        ("36", 25),
        ("object", 150),
        ("object", 16),
    ]
    assert np.asarray(Image.open(out / "overlays" / "opg.png")).shape == (40, 60, 3)
    assert (out / "objects.csv").read_text().splitlines() == [
        "image,object,category,score,area_px",
        "opg.png,1,36,0.5000,25",
        "opg.png,2,object,0.7667,150",
        "opg.png,3,object,0.9000,16",
    ]
    assert shown.err == f"dentasam: {image}: nothing found for object 2; move its click or box\n"
    assert shown.out.splitlines()[0] == "opg.png: 3 objects"
    assert "1 images, 3 objects, " in shown.out
    assert " images/s" in shown.out


@pytest.mark.parametrize(
    ("options", "loaded"),
    [
        (["--adapter", "none"], ("dentasam-tiny", None, None, "auto")),
        (["--model", "sam-hq-vit-b"], ("sam-hq-vit-b", None, None, "auto")),
        (
            ["--model", "sam-hq-vit-b", "--adapter", "mine", "--device", "cpu", "--precision", "bf16"],
            ("sam-hq-vit-b", "mine", "cpu", "bf16"),
        ),
    ],
)
def test_which_model(
    recorder: Recorder, image: Path, tmp_path: Path, options: list[str], loaded: tuple[Any, ...]
) -> None:
    assert leave(image, "--boxes", "1,1,9,9", "--out", tmp_path / "out", *options) == 0
    assert recorder.loaded == [loaded]


@pytest.mark.parametrize(
    ("format", "file", "value"),
    [("png", "masks/opg/00001_object.png", 255), ("labels", "labels/opg.png", 1)],
)
def test_other_formats(recorder: Recorder, image: Path, tmp_path: Path, format: str, file: str, value: int) -> None:
    assert leave(image, "--boxes", "3,4,9,9", "--format", format, "--out", tmp_path / "out") == 0
    expected = np.zeros((40, 60), dtype=int)
    expected[4:9, 3:9] = value
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / file)), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--images-file", "instances.json"], "--images-file has no effect without --prompts and --boxes; leave it"),
        (["--no-repair"], "--no-repair has no effect without --prompts and --boxes; leave it out"),
        (["--boxes", "1,1,9,9", "--resume"], "--resume has no effect with --prompts or --boxes; leave it out"),
        (["--boxes", "1,1,9,9", "--shard", "1/2"], "--shard has no effect with --prompts or --boxes; leave it out"),
        (["--boxes", "1,1,9,9", "--min-confidence", "0.5"], "--min-confidence has no effect with --prompts"),
        (["--boxes", "1,2,3"], "a box is [x0, y0, x1, y1]"),
        (["--boxes", "no-such-file.json"], "neither a file that exists nor x0,y0,x1,y1"),
        (["--boxes", "70,1,80,9"], "object 1: box 70,1,80,9 lies outside the image of 60x40"),
        (["--boxes", "10,10,64,20"], "object 1: box 10,10,64,20 reaches far beyond the image of 60x40; make it at"),
        (["--boxes", "-4,10,30,20"], "object 1: box -4,10,30,20 reaches far beyond the image of 60x40"),
        (["--prompts", "missing.yaml"], "missing.yaml does not exist"),
        (["--boxes", "1,1,9,9", "--format", "gif"], "Invalid value for '--format'"),
    ],
)
def test_wrong_prompts_are_one_line(
    recorder: Recorder,
    image: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    assert leave(image, "--out", tmp_path / "out", *options) == 2
    streams = capsys.readouterr()
    assert len(streams.err.splitlines()) == 1
    assert message in streams.err


def test_a_click_off_the_image_names_image_and_object(
    recorder: Recorder, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = tmp_path / "clicks.yaml"
    prompts.write_text("opg.png: [{clicks: [[59.5, 39.5, 1]]}, {clicks: [[60, 1, 1]]}]\n")
    assert leave(image, "--prompts", prompts, "--out", tmp_path / "out") == 2
    expected = f"dentasam: {image}, object 2: click 60,1 lies outside the image of 60x40; correct it in the prompts\n"
    assert capsys.readouterr().err == expected


def test_prompts_that_no_image_used_are_named(
    recorder: Recorder, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = tmp_path / "clicks.yaml"
    click = "[{clicks: [[10, 10, 1]]}]"
    prompts.write_text("".join(f"{name}: {click}\n" for name in ("opg.png", "opgg.png", "b.png", "c.png", "d.png")))
    assert leave(image, "--prompts", prompts, "--out", tmp_path / "out") == 0
    (line,) = capsys.readouterr().err.splitlines()
    expected = "none of the images is opgg.png, b.png, c.png and 1 more; those prompts were not used"
    assert line == f"dentasam: warning: {prompts}: {expected}"


def test_a_results_list_goes_with_the_file_of_its_images(
    recorder: Recorder, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, images = tmp_path / "results.json", tmp_path / "instances.json"
    results.write_text('[{"image_id": 3, "category_id": 5, "bbox": [10, 12, 8, 6], "score": 0.5}]')
    named = {"id": 3, "file_name": "opg.png", "width": 60, "height": 40}
    content = {"images": [named], "categories": [{"id": 5, "name": 36}], "annotations": []}
    images.write_text(json.dumps(content))
    assert leave(image, "--boxes", results, "--out", tmp_path / "no") == 2
    assert "a results list names no image files" in capsys.readouterr().err
    assert leave(image, "--boxes", results, "--images-file", images, "--out", tmp_path / "out") == 0
    (record,) = Dataset.load(tmp_path / "out" / "dataset.json").images[0].objects
    assert (record.category, record.bbox) == ("36", (10.0, 12.0, 8.0, 6.0))
    # Sizes are compared before a model is loaded.
    recorder.loaded.clear()
    named["width"] = 120
    images.write_text(json.dumps(content))
    assert leave(image, "--boxes", results, "--images-file", images, "--out", tmp_path / "other") == 2
    assert "are for an image of 120x40 pixels" in capsys.readouterr().err
    assert recorder.loaded == []
    assert not (tmp_path / "other").exists()


def test_unreadable_image_and_folder_in_use(
    recorder: Recorder, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert leave(broken, "--boxes", "1,1,9,9", "--out", tmp_path / "one") == 2
    assert str(broken) in capsys.readouterr().err

    assert leave(image, "--boxes", "1,1,9,9", "--out", tmp_path / "out") == 0
    capsys.readouterr()
    assert leave(image, "--boxes", "1,1,9,9", "--out", tmp_path / "out") == 2
    assert "is in use" in capsys.readouterr().err


# The command as its script runs it, in an interpreter that at its end counts the threads of a group of processes.
REPORTS_AN_OPEN_GROUP = """
import atexit
from pathlib import Path
names = lambda: [name.read_text() for name in Path("/proc/self/task").glob("*/comm")]
atexit.register(lambda: print("threads left:", sum("gloo" in name for name in names())))
from dentasam.cli.app import main
main()
"""


def test_two_processes_share_the_images(tmp_path: Path) -> None:
    images = []
    for seed in (1, 2, 3):
        images.append(tmp_path / f"opg{seed}.png")
        Image.fromarray(generate(seed, width=256, height=128).image).save(images[-1])
    boxes = ["--boxes", "100,40,120,80", "--boxes", "140,40,160,80"]
    ended = _in_two_processes("predict", *map(str, images), *boxes, "--out", str(tmp_path / "two"))
    assert [process.returncode for process in ended] == [0, 0]
    assert ["threads left: 0" in process.stdout for process in ended] == [True, True], ended
    alone = [*images, *boxes, "--device", "cpu", "--out", str(tmp_path / "one")]
    assert leave(*alone) == 0
    one, two = (tmp_path / run / "objects.csv" for run in ("one", "two"))
    assert len(one.read_text().splitlines()) == 7
    assert two.read_text() == one.read_text()


def test_an_error_of_one_process_ends_both(tmp_path: Path) -> None:
    good, broken = tmp_path / "opg.png", tmp_path / "broken.png"
    Image.fromarray(generate(1, width=256, height=128).image).save(good)
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    ended = _in_two_processes(
        "predict", str(good), str(broken), "--boxes", "9,9,99,99", "--out", str(tmp_path / "out")
    )
    for process in ended:
        assert process.returncode == 2, process.stderr
        assert str(broken) in process.stderr.splitlines()[-1]


def _in_two_processes(*arguments: str) -> list[subprocess.CompletedProcess[str]]:
    together = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", REPORTS_AN_OPEN_GROUP, *arguments, "--device", "cpu"],
            env=os.environ | together | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    ended = []
    for process in ranks:
        out, err = process.communicate(timeout=300)
        ended.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
    return ended


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
