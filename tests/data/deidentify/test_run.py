"""Folders: names, failures, second runs, and what is refused before the work starts."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dentasam.cli.data import app
from dentasam.data.deidentify import delivery, dicom
from dentasam.data.deidentify.rules import _table
from dentasam.data.deidentify.run import Options, deidentify
from dentasam.errors import DatasetError, ExtraError, OutputError

from ...linked_away import linked_away
from .planted import bytes_under, planted_file

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def write_png(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two patients' folders with images of every kind, and files that cannot be delivered."""
    made = tmp_path / "in"
    for number, patient in enumerate(("Mueller Anna", "Schmidt Bert")):
        write_png(made / patient / "2021" / "pano.png", number)
    planted_file(made / "Mueller Anna" / "scan.dcm")
    (made / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"Mueller" * 9)
    (made / "cut.png").write_bytes(write_png(made / "whole.png").read_bytes()[:45])
    (made / "notes.txt").write_text("Mueller")
    return made


def test_folders_and_names_are_new_and_what_fails_is_listed(folder: Path, tmp_path: Path) -> None:
    outcome = deidentify(folder, tmp_path / "out")
    assert len(outcome.delivered) == 4
    assert [name in line for name, line in zip(("broken.dcm", "cut.png"), outcome.failed, strict=True)] == [
        True,
        True,
    ]
    names = b"\n".join(path.as_posix().encode() for path in (tmp_path / "out").rglob("*")).decode()
    for word in ("Mueller", "Schmidt", "2021", "pano", "scan", "broken"):
        assert word not in names
    # Images of one folder stay together, and folders of one name in two others apart.
    back = json.loads(outcome.key.read_text(encoding="utf-8"))["files"]
    for name in outcome.delivered:
        parts = Path(name).with_suffix("").parts
        assert back[parts[-1]] == "/".join(back[part].rstrip("/").split("/")[-1] for part in parts)
    assert len({Path(name).parts[-2] for name in outcome.delivered if len(Path(name).parts) == 3}) == 2


def test_a_second_run_writes_the_same_and_removes_what_now_fails(folder: Path, tmp_path: Path) -> None:
    deidentify(folder, tmp_path / "out")
    before = bytes_under(tmp_path / "out")
    outcome = deidentify(folder, tmp_path / "out")
    assert bytes_under(tmp_path / "out") == before
    (folder / "whole.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    again = deidentify(folder, tmp_path / "out")
    assert len(again.delivered) == len(outcome.delivered) - 1
    files = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert files == {*again.delivered, "report.csv"}


def test_a_file_that_still_holds_a_value_is_not_delivered(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if a rule had missed the patient's ID.
    write = dicom.write_deidentified

    def forgetful(path: Path, draft: Path, *arguments: object) -> object:
        written = write(path, draft, *arguments)  # type: ignore[arg-type]
        draft.write_bytes(draft.read_bytes() + b"QX-4711-0815")
        return written

    monkeypatch.setattr(delivery, "write_deidentified", forgetful)
    outcome = deidentify(folder / "Mueller Anna", tmp_path / "out")
    assert len(outcome.delivered) == 1
    (line,) = outcome.failed
    assert "would still hold the value of PatientID" in line
    assert "QX-4711-0815" not in line.removeprefix(str(folder))
    assert not list((tmp_path / "out").rglob("*.dcm"))
    assert not list((tmp_path / "out").rglob("*.part"))


def test_an_interrupted_run_leaves_whole_files_and_the_map(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deidentify(folder, tmp_path / "out", Options(progress=interrupt))
    content = json.loads((tmp_path / "out.key.json").read_text(encoding="utf-8"))
    assert len(content["files"]) >= 3
    assert not list((tmp_path / "out").rglob("*.part"))
    assert len(deidentify(folder, tmp_path / "out").delivered) == 4


def test_report_as_json(folder: Path, tmp_path: Path) -> None:
    outcome = deidentify(folder, tmp_path / "out", Options(report=tmp_path / "r.json"))
    content = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert sorted(entry["file"] for entry in content) == sorted(outcome.delivered)
    assert {"tag", "name", "vr", "action", "rule"} == set(
        next(entry["touched"] for entry in content if entry["touched"])[0]
    )


def test_what_is_refused_at_once(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(OutputError, match="lies in --out, and would be handed on"):
        deidentify(folder, out, Options(key=out / "key.json"))
    with pytest.raises(OutputError, match="lies in --out"):
        deidentify(folder, folder)
    with pytest.raises(OutputError, match="cannot be key and report"):
        deidentify(folder, out, Options(key=tmp_path / "a.csv", report=tmp_path / "a.csv"))
    with pytest.raises(DatasetError, match="does not exist"):
        deidentify(tmp_path / "nothing", out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no PNG, JPEG, TIFF or DICOM image"):
        deidentify(tmp_path / "empty", out)
    assert not out.exists()
    out.mkdir()
    (out / "Mueller.png").touch()
    with pytest.raises(OutputError, match="is in use"):
        deidentify(folder, out)
    assert not (tmp_path / "out.key.json").exists()


def test_two_sources_do_not_share_an_output(folder: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    first = deidentify(folder / "Mueller Anna", tmp_path / "out", Options(key=key))
    with pytest.raises(OutputError, match="is in use"):
        deidentify(folder / "Schmidt Bert", tmp_path / "out", Options(key=key))
    assert len(deidentify(folder / "Schmidt Bert", tmp_path / "out2", Options(key=key)).delivered) == 1
    one = deidentify(folder / "Mueller Anna" / "scan.dcm", tmp_path / "out", Options(key=key))
    assert set(one.delivered) < set(first.delivered)


def test_output_inside_the_source_is_not_taken_for_a_source(folder: Path) -> None:
    first = deidentify(folder, folder / "out", Options(key=folder / "key.json"))
    assert deidentify(folder, folder / "out", Options(key=folder / "key.json")).delivered == first.delivered


def test_missing_package_ends_the_run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _table.cache_clear()
    monkeypatch.setitem(sys.modules, "dicomanonymizer.simpledicomanonymizer", None)
    with pytest.raises(ExtraError, match=r"pip install 'dentasam\[dicom\]'"):
        deidentify(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.key.json").exists()


def test_command(folder: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["deidentify", str(folder), "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, DatasetError)
    assert "2 files of" in str(result.exception)
    lines = result.stdout.splitlines()
    assert [line for line in lines if line.startswith("not delivered: ")] == lines[:2]
    assert "4 images de-identified" in lines[2]
    assert "keep it apart" in lines[3]
    assert "teeth" in lines[4]
    for name in ("broken.dcm", "cut.png"):
        (folder / name).unlink()
    result = CliRunner().invoke(app, ["deidentify", str(folder), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_nothing_is_written_through_a_link_in_a_folder_that_is_delivered_into_again(
    folder: Path, tmp_path: Path, depth: int
) -> None:
    out = tmp_path / "out"
    outcome = deidentify(folder, out)
    deepest = next(Path(name) for name in outcome.delivered if len(Path(name).parts) == 3)
    with linked_away(out / Path(*deepest.parts[:depth]), tmp_path / "outside"):
        deidentify(folder, out)
