"""Lines on stderr: whatever the user gave, they are one line that a terminal shows as it is."""

import io
import json
import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from dentasam.cli.app import main
from dentasam.cli.console import MAX_LINE, complain, markup, say, show_notices
from dentasam.progress import shown

FORGED = "x\r/ok: no errors\nforged\t36\u200b"
ONE_LINE = r"x\r/ok: no errors\nforged\t36\u200b"


@pytest.mark.parametrize(
    "arguments",
    [
        ["x\n" * 500],
        ["predict", "a\nb\x1b[31m\x9b\u202egnp.png", "--out", "o"],
        ["predict", "x" * 3000, "--out", "o"],
        ["evaluate", "x.json", "--clicks", "9\n" * 500, "--out", "o"],
        ["train", "x.json", "--" + "y" * 5000],
        ["train", "x.json", "--val", "x.json", "--out", "o", "--recipe", "decoder", "--set", "a\nb" * 5000],
    ],
    ids=["command", "control characters", "long path", "long number", "long option", "long setting"],
)
def test_what_the_user_gave_is_printed_in_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    lines = capsys.readouterr().err
    assert lines.startswith("dentasam: ")
    assert lines.count("\n") == 1
    assert lines[:-1].isprintable()
    assert len(lines) < 500


def test_a_very_long_line_loses_its_middle(capsys: pytest.CaptureFixture[str]) -> None:
    complain("a" * 5000 + "; choose another one")
    line = capsys.readouterr().err
    assert len(line) == len("dentasam: \n") + MAX_LINE
    assert line.endswith("; choose another one\n")


def test_a_result_is_one_line_whatever_is_named_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"category {FORGED}")
    assert capsys.readouterr().out == f"category {ONE_LINE}\n"
    assert markup(f"[b]{FORGED}") == rf"\[b]{ONE_LINE}"


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_shows_names_in_one_line(terminal: bool) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=300)
    with shown(FORGED, "images", console=console, first=0) as update:
        update(1, 1, f"note {FORGED}")
    assert ONE_LINE in file.getvalue()
    assert "/ok: no errors\n" not in file.getvalue()


def test_an_import_prints_the_categories_of_a_file_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(tmp_path / "a.png")
    square = {"segmentation": [[2, 2, 9, 2, 9, 9, 2, 9]], "bbox": [2, 2, 7, 7], "area": 49, "iscrowd": 0}
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 16, "height": 16}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **square}],
        "categories": [{"id": 1, "name": FORGED}],
    }
    (tmp_path / "c.json").write_text(json.dumps(document))
    with pytest.raises(SystemExit) as leaving:
        main(["data", "import", str(tmp_path / "c.json"), "--out", str(tmp_path / "out")])
    assert leaving.value.code in (0, None)
    printed = capsys.readouterr().out
    assert ONE_LINE in printed
    assert all(line.isprintable() for line in printed.splitlines())
    assert "\r" not in printed


def test_warnings_of_libraries_are_not_shown_and_those_of_rooms_are_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    logging.captureWarnings(False)
    try:
        show_notices()
        warnings.showwarning("of a library", UserWarning, "library.py", 1)
        logging.getLogger("dentasam.labelling.anything").warning("%s: not kept", FORGED)
    finally:
        logging.captureWarnings(False)
    assert capfd.readouterr().err == f"dentasam: {' '.join(FORGED.split())}: not kept\n".replace("\u200b", r"\u200b")
